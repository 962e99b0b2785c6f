#!/bin/sh
# Run Python with kernels that are built under sanitizers. A report ends it, with a code other than 0.
#
#   scripts/with_sanitizers.sh SANITIZERS LIBRARY PYTHON ARGUMENTS...
#
# SANITIZERS and their LIBRARY are GCC's: address,undefined and libasan.so, or thread and libtsan.so. The kernels get a
# virtual environment of their own, which borrows every other package from that of PYTHON and leaves it as it is.
set -eu
sanitizers=$1
library=$(g++ -print-file-name="$2" || true)
python=$3
shift 3

if [ ! -e "$library" ]; then
  echo "$0 needs GCC: on Debian, install g++" >&2
  exit 1
fi

folder=$PWD/build/sanitizers-$sanitizers
site_packages='import sysconfig; print(sysconfig.get_path("purelib"))'
"$python" -m venv --without-pip "$folder"
"$python" -c "$site_packages" > "$("$folder/bin/python" -c "$site_packages")/borrowed.pth"
CXX=g++ "$python" -m pip --quiet --disable-pip-version-check --python "$folder" \
  install --no-deps --no-build-isolation --editable . \
  --config-settings=cmake.define.STERNA_SANITIZE="$sanitizers" \
  --config-settings=build-dir="$folder/build" \
  --config-settings=install.strip=false

# Python is not built with them, so their library has to be loaded first; and C++'s, whose exceptions they watch.
LD_PRELOAD="$library $(g++ -print-file-name=libstdc++.so)"
ASAN_OPTIONS=detect_leaks=0 # Python itself leaves objects behind at its end
UBSAN_OPTIONS=print_stacktrace=1
TSAN_OPTIONS=halt_on_error=1
OPENBLAS_NUM_THREADS=1 # numpy's threads are not built with them either: what they do with locks is taken for races
CXXFLAGS="-fsanitize=$sanitizers -fno-sanitize-recover=all -g" # for the tests that are in C++
export CXXFLAGS LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS OPENBLAS_NUM_THREADS
exec "$folder/bin/python" "$@"
