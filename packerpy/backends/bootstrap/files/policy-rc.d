#!/bin/sh
# packerpy: no service starts while the image is made; removed before the disk is written.
exit 101
