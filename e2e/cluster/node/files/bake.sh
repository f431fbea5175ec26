# Runs in the file system of a node: puts the images of an archive, which is the
# standard input, into the store of its containerd.
set -eu
containerd --config /run/bake/config.toml >/run/bake/log 2>&1 &
pid=$!
tries=0
until ctr --address /run/bake/socket version >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" = 100 ]; then cat /run/bake/log; exit 1; fi
  sleep 0.1
done
ctr --address /run/bake/socket --namespace k8s.io images import --all-platforms --no-unpack --digests -
kill "$pid"
wait "$pid" || true
