# Runs redis-cli with the parts of the Secret, or with its URI (`parts`, `uri`).
# Prints one line of JSON: the version, and the error if there was one.
set -u

entry() {
  local variable="REDIS_${1^^}"
  if [ -n "${!variable+set}" ]; then
    printf %s "${!variable}"
  else
    cat "$SERVICE_BINDING_ROOT/orders/$1"
  fi
}

if [ "$1" = uri ]; then
  options=(-u "$(entry uri)" --no-auth-warning --cacert "$CA_FILE")
else
  REDISCLI_AUTH=$(entry password)
  export REDISCLI_AUTH
  options=(-h "$(entry host)" -p "$(entry port)" -n "$(entry database)" --tls --cacert "$CA_FILE")
fi
"$REDIS_CLI" "${options[@]}" set orders "$MARKER" >/dev/null 2>&1
found=$("$REDIS_CLI" "${options[@]}" get orders 2>&1)
version=$("$REDIS_CLI" --version)
version=${version#redis-cli }
if [ "$found" = "$MARKER" ]; then
  echo "{\"version\": \"$version\"}"
else
  echo "{\"version\": \"$version\", \"error\": \"${found//[^a-zA-Z0-9 .:]/ }\"}"
  exit 1
fi
