#!/bin/sh
# The library for this computer's Java: `build.sh FOLDER`, with gcc or another CC, for this processor or as CFLAGS say.
# Gradle builds the app's own (CMakeLists.txt).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=${JAVA_HOME:-$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.home = //p')}
case $(uname) in Darwin) os=darwin name=libsamesight_resize.dylib ;; *) os=linux name=libsamesight_resize.so ;; esac
mkdir -p "$1"
# shellcheck disable=SC2086
"${CC:-gcc}" -std=gnu11 -O3 ${CFLAGS:--march=native} -Wall -Wextra -Werror -fvisibility=hidden -fPIC -shared \
    -I"$home/include" -I"$home/include/$os" "$here/jni.c" "$here/resize.c" -o "$1/$name"
