#!/usr/bin/env bash
# Signs and verifies by curl: caller.sh ORIGIN [SOCKET]
#
# Prints a line for each answer: the step, the status and the body.
set -euo pipefail

origin=$1
to=(--noproxy '*')
[[ -n ${2-} ]] && to=(--unix-socket "$2")
answer=

# The body comes from standard input.
call() { # STEP PATH CONTENT-TYPE [CURL OPTION...]
  local printed
  printed=$(curl -sS -m 20 "${to[@]}" -w ' %{http_code}' -H 'Sec-Signer: 1' -H "Content-Type: $3" "${@:4}" "$origin$2")
  answer=${printed% *}
  echo "$1 ${printed##* } $answer"
}
json() { # STEP PATH JSON
  call "$1" "$2" application/json --data-binary @- <<<"$3"
}
# A message of 5 MB, whose length is not known before.
message() { # STEP PATH [CURL OPTION...]
  call "$1" "$2" application/octet-stream -X POST -T - "${@:3}" < <(printf '%05000000d' 0 | tr 0 x)
}
# The text behind a name in the answer, up to a character.
member() { # NAME END
  local rest=${answer#*\"$1\":}
  rest=${rest#\"}
  echo "${rest%%"$2"*}"
}

json sign /v1/keys/orders/sign '{"message":"hello"}'
json verify /v1/keys/orders/verify "{\"message\":\"hello\",\"signature\":\"$(member signature '"')\"}"

webhook='"body":"{\"action\":\"opened\"}"'
json sign-webhook /v1/keys/hooks/sign "{$webhook}"
json verify-webhook /v1/keys/hooks/verify "{$webhook,\"headers\":$(member headers '}')}}"

message sign-stream /v1/keys/orders/sign
message verify-stream /v1/keys/orders/verify -H "Sec-Signer-Signature: $(member signature '"')"

json problem /v1/keys/orders/sign '{"message":5}'
large="{\"message\":\"$(printf '%01200000d' 0)\"}"
for ((i = 0; i < 30; i++)); do json too-large /v1/keys/orders/sign "$large"; done
