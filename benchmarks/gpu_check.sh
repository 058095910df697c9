#!/bin/bash
# What is to be known of this project on a machine with an NVIDIA GPU, in six minutes:
#
#     benchmarks/gpu_check.sh [FOLDER]      # default: output/gpu_check
#
# Training with AMP, killed and resumed; a step against the CPU's; AP in each precision; the speed of
# R50, R101 and Swin-L, and of many streams of R101. Each part writes to a file of its own as it goes;
# summary.txt says which ran. It goes on where a part fails, and ends with 1 then. From the
# environment: PYTHON; DEVICE=cpu to try the script itself; ITERATIONS, MODELS, SIZES, FRAMES, STREAMS,
# STREAM_MODEL; PART_SECONDS, the longest time of a part.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
python=${PYTHON:-python}
device=${DEVICE:-cuda}
iterations=${ITERATIONS:-100}
models=${MODELS:-rcf_r50 rcf_r101 rcf_swinl}
sizes=${SIZES:-640x360 1920x1080}
frames=${FRAMES:-40}
streams=${STREAMS:-4 16 32} stream_model=${STREAM_MODEL:-rcf_r101}
longest=${PART_SECONDS:-120}
tiny=configs/synthvis/rcf_tiny.yaml
half=fp16 engine=compile compiled=True amp=True
[ "$device" = cpu ] && half=bf16 engine=torch compiled=False amp=False  # what is too slow there
mkdir -p "${1:-output/gpu_check}" && out=$(cd "${1:-output/gpu_check}" && pwd) || exit 1
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export DETECTRON2_DATASETS=${DETECTRON2_DATASETS:-$out/datasets}
failed=0
: > "$out/summary.txt"

run() { timeout --kill-after=10 "$longest" "$python" "$@"; }

part() { # NAME COMMAND …: what it prints to NAME.log, how it ends to summary.txt
  local name=${1//\//-} start=$SECONDS ended=ok
  shift
  "$@" > "$out/$name.log" 2>&1 || { ended="failed ($?)" failed=1; }
  echo "$name: $ended, $((SECONDS - start)) s" | tee -a "$out/summary.txt"
}

machine() {
  nvidia-smi
  run -m detectron2.utils.collect_env
  run -m pip list
}

data() {
  run -c "
import os, rcf_vis.synthvis as synthvis
synthvis.ensure_synthvis(
    os.path.join(os.environ['DETECTRON2_DATASETS'], 'synthvis'), splits=['val'], workers=os.cpu_count())"
}

train() { # [--resume]; on the 60 videos of val, which are soon made
  run train_net.py --config-file $tiny "$@" MODEL.DEVICE "$device" MODEL.WEIGHTS "" \
    OUTPUT_DIR "$out/training" SOLVER.AMP.ENABLED $amp SOLVER.MAX_ITER "$iterations" \
    SOLVER.CHECKPOINT_PERIOD $((iterations * 2 / 5)) DATASETS.TRAIN '("synthvis_val",)'
}

train_and_kill() { # as soon as there is a checkpoint
  rm -rf "$out/training"
  train &
  local job=$!
  until [ -e "$out/training/last_checkpoint" ]; do
    kill -0 $job 2> /dev/null || return 1
    sleep 0.2
  done
  pkill -9 -f "OUTPUT_DIR $out/training"
  wait $job
  ls "$out/training" && [ ! -e "$out/training/model_final.pth" ]
}

resume() {
  train --resume && [ -e "$out/training/model_final.pth" ] &&
    ! grep "Starting training from iteration 0" <(grep "from iteration" "$out/training/log.txt" | tail -n 1)
}

evaluate() { # PRECISION
  run train_net.py --config-file $tiny --eval-only MODEL.DEVICE "$device" \
    OUTPUT_DIR "$out/ap-$1" MODEL.RCF.TEST.PRECISION "$1" MODEL.RCF.TEST.COMPILE $compiled
}

speed() { # MODEL PRECISION ENGINE
  # shellcheck disable=SC2086
  run tools/benchmark.py --config-file "configs/$1.yaml" --device "$device" --precision "$2" \
    --engine "$3" --size $sizes --objects 3 10 --frames "$frames" --json "$out/speed-${1//\//-}-$2-$3.json"
}

streams() { # MODEL PRECISION ENGINE
  # shellcheck disable=SC2086
  run tools/benchmark.py --config-file "configs/$1.yaml" --device "$device" --precision "$2" \
    --engine "$3" --streams $streams --frames "$frames" --json "$out/streams-${1//\//-}-$2-$3.json"
}

part machine machine
part data data
part training-killed train_and_kill
part training-resumed resume
part parity run benchmarks/gpu_parity.py --device "$device" --json "$out/parity.json"
part ap-fp32 evaluate fp32
part ap-$half evaluate $half
for model in $models; do
  part "speed-$model-$half" speed "$model" $half $engine
done
part "streams-$stream_model-$half" streams "$stream_model" $half $engine
part "speed-${models%% *}-fp32" speed "${models%% *}" fp32 torch
exit $failed
