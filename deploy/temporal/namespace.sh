#!/bin/sh
# Makes the namespace with its retention and the search attributes that refunds are found by. Again changes nothing.
set -eu
: "${TEMPORAL_ADDRESS:?}" "${TEMPORAL_NAMESPACE:?}" "${RETENTION:?}"
answer=$(mktemp)

# The port answers before the server does, and a new namespace is known everywhere only some seconds later.
try() {
    left=30
    until "$@" >"$answer" 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || break
        sleep 1
    done
    [ "$left" -gt 0 ] && return
    cat "$answer" >&2
    return 1
}

try temporal operator cluster health
if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >"$answer" 2>&1; then
    try temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi
try temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

known() { temporal operator search-attribute list | grep -Eq "^ *$1 +$2 *\$"; }
while read -r name type; do
    known "$name" "$type" || try temporal operator search-attribute create --name "$name" --type "$type"
    try known "$name" "$type"
done <<'ATTRIBUTES'
RefundStatus Keyword
RefundRail Keyword
RefundAccount Keyword
RefundDeposit Keyword
RefundTicket Keyword
RefundCurrency Keyword
RefundAmountMinor Int
RefundDue Datetime
ATTRIBUTES
