#!/usr/bin/env bash
# Starts one part of the cluster (`jobmanager`, `taskmanager`; FLINK_PROPERTIES has the lines of config.yaml), or
# submits the job to it (`job` and its arguments).
set -euo pipefail

part=$1
shift
printf '%s\n' "${FLINK_PROPERTIES:-}" >> "${FLINK_HOME}/conf/config.yaml"
if [[ $part == job ]]; then
  exec bash "${FLINK_HOME}/bin/flink" run --detached --jobmanager "${FLINK_CLUSTER:-flink-jobmanager:8081}" \
    -pyfs /job -pyexec python3 -pyclientexec python3 -py /job/flink/jobs/feature_job.py "$@"
fi
exec bash "${FLINK_HOME}/bin/$part.sh" start-foreground
