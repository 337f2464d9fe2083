#!/bin/sh
# The contract's speed beside OpenCV's and Pillow's: `benchmark/run.sh [--json] [--python PYTHON]`.
set -eu
app=$(cd "$(dirname "$0")/.." && pwd)
target=$app/benchmark/target
mvn -f "$app/pom.xml" -T1 -B -ntp -q -Pbenchmark -Dkotlin.compiler.daemon=false -DskipTests -pl benchmark -am \
    test-compile >&2
# Without a C compiler the table has no columns of C.
"$app/contract/src/main/cpp/build.sh" "$target/native" >&2 || true
exec java -Djava.library.path="$target/native" \
    -cp "$target/classes:$app/contract/target/classes:$app/engine/target/classes:$(cat "$target/classpath")" \
    samesight.benchmark.BenchmarkKt "$@"
