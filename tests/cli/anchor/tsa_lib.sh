# A time-stamp authority of `openssl ts` behind an HTTP server. Sourced after tests/cli/lib.sh.
# shellcheck shell=bash

# make_tsa FOLDER NAME [END]: a root (ca.pem), and an authority under it (tsa.pem, tsa.key, ts.cnf)
# whose certificate ends at END (YYYYMMDDHHMMSSZ, in UTC; a day from now). The configuration has the
# sections `good`, and `refusing`, which takes no SHA-256.
make_tsa() {
  local folder=$1 name=$2 end=${3:-$(date -u -d '+1 day' +%Y%m%d%H%M%SZ)}
  mkdir -p "$folder/issued"
  cat >"$folder/ca.cnf" <<END
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[tsa]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ca]
default_ca = issuer
[issuer]
database = $folder/index.txt
new_certs_dir = $folder/issued
default_md = sha256
policy = any
rand_serial = yes
[any]
organizationName = optional
commonName = supplied
END
  cat >"$folder/ts.cnf" <<END
[good]
serial = $folder/serial
crypto_device = builtin
signer_cert = $folder/tsa.pem
certs = $folder/ca.pem
signer_key = $folder/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.55555.1
digests = sha256
accuracy = secs:1,millisecs:500
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[refusing]
serial = $folder/serial
crypto_device = builtin
signer_cert = $folder/tsa.pem
signer_key = $folder/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.55555.1
digests = sha512
ess_cert_id_alg = sha256
END
  : >"$folder/index.txt"
  echo 01 >"$folder/serial"
  {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$folder/ca.key" -out "$folder/ca.pem" \
      -days 3650 -subj "/CN=$name Root" -config "$folder/ca.cnf" -extensions root &&
      openssl req -newkey rsa:2048 -nodes -keyout "$folder/tsa.key" -out "$folder/tsa.csr" \
        -subj "/O=$name/CN=$name TSA" -config "$folder/ca.cnf" &&
      openssl ca -batch -config "$folder/ca.cnf" -cert "$folder/ca.pem" \
        -keyfile "$folder/ca.key" -in "$folder/tsa.csr" -out "$folder/tsa.pem" -notext \
        -extensions tsa -startdate "$(date -u -d '-1 hour' +%Y%m%d%H%M%SZ)" -enddate "$end"
  } >"$folder/log" 2>&1 || fail "openssl makes no authority: $(tail -n 3 "$folder/log")"
}

# start_tsa FOLDER MODE: listens on $tsa_port, see tsa_server.py.
start_tsa() {
  tsa_port=$(free_port)
  python3 "$TWINCHAIN_SOURCE/tests/cli/anchor/tsa_server.py" "$tsa_port" "$1" "$2" 2>>tsa.log &
  stop_on_exit $!
  wait_for 10 python3 -c "import socket; socket.create_connection(('127.0.0.1', $tsa_port))" ||
    fail "the authority does not listen"
}
