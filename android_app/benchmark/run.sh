#!/bin/sh
# The contract's speed beside OpenCV's and Pillow's: `benchmark/run.sh [--json] [--python PYTHON]`.
set -eu
app=$(cd "$(dirname "$0")/.." && pwd)
mvn -f "$app/pom.xml" -T1 -B -ntp -q -Pbenchmark -Dkotlin.compiler.daemon=false -DskipTests test-compile >&2
exec java -cp "$app/benchmark/target/classes:$app/contract/target/classes:$(cat "$app/benchmark/target/classpath")" \
    samesight.benchmark.BenchmarkKt "$@"
