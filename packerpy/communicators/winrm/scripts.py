"""PowerShell that moves files. Plain texts; ``@NAME@`` stands for a quoted value.

Input comes as lines of base64 in the pipeline, one object a line; output leaves the same way.
"""

from __future__ import annotations

import base64

LONGEST = 8000
"""Characters of a command line that ``cmd`` takes (8,191), with room for the program's name."""

QUIET = "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'\n"
"""Progress would arrive as XML among the errors."""

BOOT = "[Console]::Out.WriteLine((Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToFileTimeUtc())"
"""Prints when the machine was started."""

PUT = """begin {
    $path = @PATH@
    $part = "$path.@TOKEN@"
    if (Test-Path -LiteralPath $path -PathType Container) { [Console]::Error.WriteLine("$path is a folder"); exit 21 }
    $parent = Split-Path -Parent $path
    if ($parent) { $null = New-Item -ItemType Directory -Force -Path $parent }
    $file = [IO.File]::Create($part)
}
process {
    if ($_) {
        $bytes = [Convert]::FromBase64String($_)
        $file.Write($bytes, 0, $bytes.Length)
    }
}
end {
    $size = $file.Length
    $file.Dispose()
    if ($size -ne @SIZE@) {
        Remove-Item -LiteralPath $part -Force
        [Console]::Error.WriteLine("only $size bytes came")
        exit 22
    }
    Move-Item -LiteralPath $part -Destination $path -Force
}
"""
"""Takes a file; it appears under its name when all of it has come."""

GET = """$path = @PATH@
if (Test-Path -LiteralPath $path -PathType Container) { [Console]::Error.WriteLine("$path is a folder"); exit 21 }
if (-not (Test-Path -LiteralPath $path)) { [Console]::Error.WriteLine("$path: No such file"); exit 20 }
$file = [IO.File]::OpenRead($path)
try {
    $buffer = New-Object byte[] 49152
    while (($count = $file.Read($buffer, 0, $buffer.Length)) -gt 0) {
        [Console]::Out.WriteLine([Convert]::ToBase64String($buffer, 0, $count))
    }
} finally { $file.Dispose() }
"""
"""Prints a file, one line of base64 for each piece."""

UNZIP = """Add-Type -AssemblyName System.IO.Compression, System.IO.Compression.FileSystem
$zip = @ZIP@
$path = @PATH@
try {
    $null = New-Item -ItemType Directory -Force -Path $path
    $archive = [IO.Compression.ZipFile]::OpenRead($zip)
    try {
        foreach ($entry in $archive.Entries) {
            $target = Join-Path $path $entry.FullName
            if ($entry.FullName.EndsWith('/')) { $null = New-Item -ItemType Directory -Force -Path $target; continue }
            $null = New-Item -ItemType Directory -Force -Path (Split-Path -Parent $target)
            [IO.Compression.ZipFileExtensions]::ExtractToFile($entry, $target, $true)
        }
    } finally { $archive.Dispose() }
} finally { Remove-Item -LiteralPath $zip -Force }
"""
"""Unpacks an archive into a folder, over what is there, and removes the archive."""

ZIP = """Add-Type -AssemblyName System.IO.Compression.FileSystem
$path = @PATH@
if (-not (Test-Path -LiteralPath $path -PathType Container)) {
    [Console]::Error.WriteLine("$path is not a folder"); exit 20
}
[IO.Compression.ZipFile]::CreateFromDirectory($path, @ZIP@)
"""
"""Packs a folder's contents into an archive."""

REMOVE = "Remove-Item -LiteralPath @PATH@ -Force -ErrorAction SilentlyContinue\n"


def quoted(text: str) -> str:
    """A PowerShell string that is exactly this text."""
    # Its parser takes typographic apostrophes (U+2018 to U+201B) for plain ones.
    for mark in ("'", *map(chr, range(0x2018, 0x201C))):
        text = text.replace(mark, mark * 2)
    return f"'{text}'"


def filled(script: str, **values: str) -> str:
    """A script of this module with its values in place, already quoted where they must be."""
    for name, value in values.items():
        script = script.replace(f"@{name.upper()}@", value)
    return script


def command_line(script: str) -> str:
    """The command line that runs a script; longer ones than :data:`LONGEST` must go by a file."""
    encoded = base64.b64encode((QUIET + script).encode("utf-16-le")).decode()
    return f"powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand {encoded}"
