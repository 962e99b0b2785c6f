#!/bin/sh
# Run a command with a C++17 compiler named in CXX: the system's, or clang from PyPI where there is none.
#
#   scripts/with_compiler.sh PYTHON COMMAND...
#
# PYTHON belongs to the virtual environment that takes the package ziglang if it is needed.
# A CXX that is already set is left as it is; CXX=zig asks for clang from PyPI. No other file knows about compilers,
# except with_sanitizers.sh, which needs GCC.
set -eu
python=$1
shift

builds_modules() { # COMPILER: does it make a shared library of C++17?
  directory=$(mktemp -d)
  printf '#include <optional>\nint f() { return std::optional<int>(1).value(); }\n' > "$directory/probe.cpp"
  "$1" -std=c++17 -fPIC -shared "$directory/probe.cpp" -o "$directory/probe.so" > "$directory/log" 2>&1
  status=$?
  rm -rf "$directory"
  return $status
}

if [ -z "${CXX:-}" ]; then
  for candidate in c++ g++ clang++; do
    if builds_modules "$candidate"; then
      CXX=$candidate
      break
    fi
  done
fi

if [ "${CXX:-zig}" = zig ]; then
  echo "Compiling with clang from PyPI (package ziglang, once, about 100 MB)." >&2
  "$python" -m pip install --quiet --constraint constraints.txt ziglang
  bin=$(cd "$(dirname "$python")" && pwd)
  wrap() { # TOOL OPTIONS: write bin/zig-TOOL, because CMake wants the path of one file
    printf '#!/bin/sh\nexec "%s/python" -m ziglang %s "$@"\n' "$bin" "$*" > "$bin/zig-$1"
    chmod +x "$bin/zig-$1"
  }
  wrap c++ -mcpu=baseline # otherwise it builds for this very CPU, and only for it
  wrap ar
  wrap ranlib
  CXX=$bin/zig-c++
  CMAKE_ARGS="-DCMAKE_AR=$bin/zig-ar -DCMAKE_RANLIB=$bin/zig-ranlib"
  SKBUILD_BUILD_DIR="build/zig-{wheel_tag}" # CMake refuses to change compilers in one folder
  ZIG_GLOBAL_CACHE_DIR=$PWD/build/zig-cache # its C++ library is compiled here at the first build
  export CMAKE_ARGS SKBUILD_BUILD_DIR ZIG_GLOBAL_CACHE_DIR
fi

export CXX
exec "$@"
