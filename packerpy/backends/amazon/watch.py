"""Waiting for things at Amazon, with what is to be told meanwhile."""

from __future__ import annotations

from packerpy.backends.amazon.api import Answer, Cloud


def running(at: Cloud, instance: str) -> None:
    """Until an instance runs."""
    at.wait("instance_running", f"instance {instance}", wanted="running", look=_instance, InstanceIds=[instance])


def stopped(at: Cloud, instance: str) -> None:
    """Until it has stopped."""
    at.wait("instance_stopped", f"instance {instance}", wanted="stopped", look=_instance, InstanceIds=[instance])


def terminated(at: Cloud, instance: str) -> None:
    """Until it is gone."""
    at.wait("instance_terminated", f"instance {instance}", wanted="terminated", look=_instance, InstanceIds=[instance])


def image_available(at: Cloud, image: str) -> None:
    """Until an image can be used."""
    at.wait("image_available", f"image {image} in {at.region}", wanted="available", look=_image, ImageIds=[image])


def snapshot_completed(at: Cloud, snapshot: str) -> None:
    """Until a snapshot can be used."""
    what = f"snapshot {snapshot} in {at.region}"
    at.wait("snapshot_completed", what, wanted="completed", look=_snapshot, SnapshotIds=[snapshot])


def volume_free(at: Cloud, volume: str) -> None:
    """Until a volume is held by nothing."""
    at.wait("volume_available", f"volume {volume}", wanted="available", look=_volume, VolumeIds=[volume])


def volume_attached(at: Cloud, volume: str) -> None:
    """Until a volume belongs to an instance."""
    at.wait("volume_in_use", f"volume {volume}", wanted="in-use", look=_volume, VolumeIds=[volume])


def _instance(answer: Answer) -> tuple[str, str, float | None]:
    found = [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
    if not found:
        return "", "", None
    reason = found[0].get("StateReason") or {}
    return str(found[0]["State"]["Name"]), str(reason.get("Message", "")), None


def _image(answer: Answer) -> tuple[str, str, float | None]:
    if not answer["Images"]:
        return "", "", None
    image = answer["Images"][0]
    return str(image["State"]), str((image.get("StateReason") or {}).get("Message", "")), None


def _snapshot(answer: Answer) -> tuple[str, str, float | None]:
    if not answer["Snapshots"]:
        return "", "", None
    snapshot = answer["Snapshots"][0]
    told = str(snapshot.get("Progress") or "").rstrip("%")
    percent = float(told) if told.isdecimal() else None
    return str(snapshot["State"]), str(snapshot.get("StateMessage") or ""), percent


def _volume(answer: Answer) -> tuple[str, str, float | None]:
    return (str(answer["Volumes"][0]["State"]), "", None) if answer["Volumes"] else ("", "", None)
