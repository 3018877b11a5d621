"""An AMI from a volume that is mounted on the instance that packerpy itself runs on."""
