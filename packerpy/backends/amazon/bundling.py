"""An AMI from an instance that bundles its own root and uploads it to S3."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

import attrs

from packerpy.backends.amazon import finish, preflight, registering
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.source import ImageSource
from packerpy.backends.amazon.specs.instance import Instance
from packerpy.backends.amazon.steps.s3_object import Folder
from packerpy.backends.amazon.tags import new_token
from packerpy.contracts import Communicator, Run, Source
from packerpy.errors import SourceError
from packerpy.values import Artifact, Command, Machine, Problem


@attrs.frozen
class InstanceStoreSource(ImageSource, Source):
    """Carries out an :class:`Instance`."""

    spec: Instance

    def names(self, at: Cloud) -> Iterable[Problem]:
        """The image's, and the bucket's."""
        yield from super().names(at)
        bucket = self._place()[0]
        yield from preflight.asked("bucket", lambda: at.call("s3.ListObjectsV2", Bucket=bucket, MaxKeys=1))

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Bundle, upload, register, copy, share; the instance runs until the end, for it cannot be stopped."""
        at = self.at(run)
        token = new_token()
        env = self._environment(machine, token)
        self._send(channel, env)
        self._do(run, channel, "bundling the root", self.spec.bundle_command, env)
        bucket, folder = self._place()
        prefix = f"{folder}packerpy-{token}/"
        bundle = Folder(access=at.access, region=at.region, token=token, bucket=bucket, prefix=prefix)
        finish.holder(run, self.spec)(bundle)
        told = self._upload_environment(at, f"{bucket}/{prefix}".rstrip("/"))
        self._do(run, channel, "uploading the bundle", self.spec.upload_command, {**env, **told})
        channel.close()
        location = f"{bucket}/{prefix}{self.spec.bundle_prefix}.manifest.xml"
        image = registering.register(at, self.spec, self._request(machine, location))
        images = finish.spread(at, self.spec, image)
        facts = {**machine.facts, "name": self.spec.ami_name, "manifest": f"s3://{location}"}
        return finish.artifact(images, facts, "packerpy.amazon.instance")

    def _place(self) -> tuple[str, str]:
        """The bucket, and the declared folder in it, with a slash at its end if there is one."""
        bucket, _, folder = self.spec.bucket.strip("/").partition("/")
        return bucket, f"{folder}/" if folder else ""

    def _environment(self, machine: Machine, token: str) -> dict[str, str]:
        x509 = f"{self.spec.x509_folder.rstrip('/')}/packerpy-x509-{token}"
        return {
            "ACCOUNT": self.spec.account,
            "ARCHITECTURE": self.spec.architecture or machine.facts["architecture"],
            "X509_FOLDER": x509,
            "X509_CERT": f"{x509}/cert.pem",
            "X509_KEY": f"{x509}/key.pem",
            "BUNDLE_FOLDER": f"{self.spec.bundle_folder.rstrip('/')}/packerpy-bundle-{token}",
            "BUNDLE_PREFIX": self.spec.bundle_prefix,
        }

    def _upload_environment(self, at: Cloud, bucket: str) -> dict[str, str]:
        told = {
            **at.credentials(),
            "BUCKET": bucket,
            "REGION": at.region,
            "S3_URL": at.access.endpoint_url or "",
        }
        return {name: value for name, value in told.items() if value}

    def _send(self, channel: Communicator, env: dict[str, str]) -> None:
        """Certificate and key, for nobody else's eyes."""
        line = 'mkdir -m 700 -p "$X509_FOLDER"'
        done = channel.run(Command(line=line, env={"X509_FOLDER": env["X509_FOLDER"]}))
        if not done.ok:
            raise SourceError(f"cannot make {env['X509_FOLDER']} in the machine", details=done.stderr.strip() or None)
        channel.put(self.spec.x509_cert, PurePosixPath(env["X509_CERT"]), mode=0o600)
        channel.put(self.spec.x509_key, PurePosixPath(env["X509_KEY"]), mode=0o600)

    def _do(self, run: Run, channel: Communicator, what: str, line: str, env: dict[str, str]) -> None:
        run.say(what)
        whole = {**env, "MANIFEST": f"{env['BUNDLE_FOLDER']}/{env['BUNDLE_PREFIX']}.manifest.xml"}
        command = Command(line=f'mkdir -m 700 -p "$BUNDLE_FOLDER" && {line}', env=whole, sudo=True)
        done = channel.run(command, sink=run.output)
        if not done.ok:
            last = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-20:])
            raise SourceError(
                f"{what} failed with exit code {done.exit_status}",
                details=last or None,
                resolution="the machine needs Amazon's AMI tools, and room in bundle_folder",
            )

    def _request(self, machine: Machine, location: str) -> dict[str, Any]:
        request = registering.options(self.spec, machine.facts["architecture"], None)
        mappings = [disk.mapping() for disk in self.spec.image_disks]
        return {**request, "ImageLocation": location, **({"BlockDeviceMappings": mappings} if mappings else {})}
