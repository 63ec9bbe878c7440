#!/bin/sh
# Runs the commands of docs/verify-with-openssl.md as they stand there, on receipts signed with our
# keys and with OpenSSL's, good and bad; and lets ropewalk check what OpenSSL signed.
set -eu
doc=$RW_SOURCE_DIR/docs/verify-with-openssl.md
tool=$RW_BINARY_DIR/tests/test_receipt_signature
ropewalk=$RW_BINARY_DIR/ropewalk
for needed in openssl python3; do
    command -v $needed >/dev/null || { echo "skipped: there is no $needed"; exit 77; }
done
[ -x "$tool" ] || { echo "skipped: $tool is not built"; exit 77; }
case $(openssl version) in
OpenSSL\ [3-9].*) ;;
*) echo "skipped: $(openssl version) is older than 3.0"; exit 77 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""; }

# commands NAME: writes the doc's block behind <!-- NAME --> to NAME.sh
commands() {
    awk -v mark="<!-- $1 -->" '
        $0 == mark { wanted = 1; next }
        wanted && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' "$doc" >"$1.sh"
    [ -s "$1.sh" ] || fail "no block $1 in $doc"
}
commands verify
commands fingerprint
commands keygen

openssl_accepts() { sh -e verify.sh >said 2>&1; }
expect_good() {
    openssl_accepts || fail "$1: OpenSSL refuses: $(cat said)"
    grep -q 'Signature Verified Successfully' said || fail "$1: $(cat said)"
}
expect_bad() {
    if openssl_accepts; then fail "$1: OpenSSL accepts it"; fi
    grep -q 'Signature Verification Failure' said || fail "$1: $(cat said)"
}

# Members out of order, white space, escapes and a number with another canonical spelling.
cat >given.json <<'END'
{ "tool": {"version": "0.1.0"}, "plan": {"method": "yarn", "factor": 4.0, "note": "\u00e9 \"sha256\":\"x\""},
  "files": [{"name": "config.json", "sha256": "00ff"}], "gate": null }
END

# ---- our key ---------------------------------------------------------------------------------------

ours=$("$tool" keygen signing.pem signing.pem.pub)
chmod 600 signing.pem
openssl pkey -in signing.pem -pubout | cmp - signing.pem.pub || fail "OpenSSL derives another key"
is fingerprint "$(sh -e fingerprint.sh | sed 's/.*= *//')" "$ours"
"$tool" sign signing.pem given.json receipt.json
expect_good "our key"
is "our check" "$("$tool" check receipt.json signing.pem.pub)" valid
is "our check without a key" "$("$tool" check receipt.json)" unknown
is "the stated hash" "$(sed 's/.*"sha256":"\([0-9a-f]*\)","signature":{.*/\1/' receipt.json)" \
    "$(openssl dgst -sha256 -r manifest.json | cut -d' ' -f1)"

cp receipt.json kept.json
sed 's/"method":"yarn"/"method":"yarm"/' kept.json >receipt.json
expect_bad "a changed manifest"
is "our check of a changed manifest" "$("$tool" check receipt.json signing.pem.pub)" invalid
cp kept.json receipt.json

# ---- OpenSSL's key ---------------------------------------------------------------------------------

mkdir ours && mv signing.pem signing.pem.pub ours
sh -e keygen.sh
expect_bad "another signer's key"
is "our check with another key" "$("$tool" check receipt.json signing.pem.pub)" wrong
"$tool" sign signing.pem given.json receipt.json
expect_good "OpenSSL's key"
is "our check" "$("$tool" check receipt.json signing.pem.pub)" valid

# ---- OpenSSL's signature ---------------------------------------------------------------------------

# Over the hash that the last check left behind, put into a receipt by hand.
openssl pkeyutl -sign -inkey signing.pem -rawin -in manifest.sha256 -out by_hand.bin
openssl pkey -pubin -in signing.pem.pub -outform DER -out public.der
python3 - <<'END'
import base64, hashlib, json
data = open("receipt.json").read()
der = open("public.der", "rb").read()
block = {"algorithm": "Ed25519", "public_key": base64.b64encode(der).decode(),
         "signature": base64.b64encode(open("by_hand.bin", "rb").read()).decode(),
         "signer": hashlib.sha256(der).hexdigest()}
head = data[:data.rindex('"signature":{')]
open("by_hand.json", "w").write(head + '"signature":' + json.dumps(block) + "}\n")
END
is "OpenSSL's signature" "$("$tool" check by_hand.json signing.pem.pub)" valid

# ---- the program -----------------------------------------------------------------------------------

if [ -x "$ropewalk" ] && "$ropewalk" keygen --help >/dev/null 2>&1; then
    "$ropewalk" keygen -o made.pem --json >made.json
    is "keygen's mode" "$(stat -c %a made.pem)" 600
    openssl pkey -in made.pem -pubout | cmp - made.pem.pub || fail "keygen: not a pair"
    cp made.pem.pub signing.pem.pub
    grep -q "$(sh -e fingerprint.sh | sed 's/.*= *//')" made.json || fail "keygen's fingerprint"
    "$tool" sign made.pem given.json receipt.json
    expect_good "keygen's key"
    status=0
    "$ropewalk" keygen -o made.pem >/dev/null 2>&1 || status=$?
    is "keygen onto a key" $status 4
    # a whole run: what extend signs is what OpenSSL accepts
    "$ropewalk" extend "$RW_SOURCE_DIR/models/tiny" --context 2k -o out --no-measure --sign made.pem \
        >said 2>&1 || fail "extend --sign: $(cat said)"
    cp out/receipt.json receipt.json
    expect_good "a receipt of extend"
    "$ropewalk" verify out/receipt.json --key made.pem.pub >said || fail "verify --key: $(cat said)"
    sed 's/"method":"yarn"/"method":"yarm"/' out/receipt.json >receipt.json
    expect_bad "a changed receipt of extend"
else
    echo "not checked: the program has no verb keygen"
fi
echo "OpenSSL and ropewalk agree ($(openssl version | cut -d' ' -f1-2))"
