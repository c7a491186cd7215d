"""The systems that kernels are built for here and run on by an emulator."""

from cross.remote import Target

AARCH64 = Target(
    name="aarch64",
    system="Linux",
    processor="aarch64",
    triple="aarch64-linux-gnu",
    cpu="generic",
    compiler="aarch64-linux-gnu-g++",
    runner=("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"),
    packages="g++-aarch64-linux-gnu qemu-user",
)
WINDOWS = Target(
    name="windows",
    system="Windows",
    processor="AMD64",
    triple="x86_64-w64-windows-gnu",
    cpu="x86-64",
    compiler="x86_64-w64-mingw32-g++-posix",
    runner=("wine",),
    packages="g++-mingw-w64-x86-64-posix wine64 wine",
    libraries=".dll",
)
