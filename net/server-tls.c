/* net/server-tls.c: TLS: our certificate, and whom a client's certificate names. RFC 8446, RFC 5280. */
#include "net/server-internal.h"

#include <gnutls/x509.h>
#include <string.h>

#include "base/log.h"

#define TEXT_MAX (64 * 1024)

DEFINE_CLEANUP(gnutls_certificate_credentials_t, gnutls_certificate_free_credentials)

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){ .data = (unsigned char *)text, .size = (unsigned)strlen(text) };
}

/* libmicrohttpd loads them once more, and would only say that it could not start. */
err *tls_check(const struct tls_text *t)
{
	CLEANUP(gnutls_certificate_free_credentials) gnutls_certificate_credentials_t c = NULL;

	if (!t->cert || !t->key)
		return err_new(EINVAL, "TLS: a certificate and its key belong together");
	if (strlen(t->cert) > TEXT_MAX || strlen(t->key) > TEXT_MAX ||
	    (t->client_ca && strlen(t->client_ca) > TEXT_MAX))
		return err_new(EFBIG, "TLS: certificate or key is over %d bytes", TEXT_MAX);
	gnutls_datum_t cert = datum(t->cert), key = datum(t->key),
		       ca = datum(t->client_ca ? t->client_ca : "");
	int r = gnutls_certificate_allocate_credentials(&c);
	if (r >= 0)
		r = gnutls_certificate_set_x509_key_mem(c, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (r < 0)
		return err_new(EINVAL, "TLS certificate and key: %s", gnutls_strerror(r));
	if (!t->client_ca)
		return NULL;
	r = gnutls_certificate_set_x509_trust_mem(c, &ca, GNUTLS_X509_FMT_PEM);
	return r > 0 ? NULL
		     : err_new(EINVAL, "TLS: authority of clients: %s",
			       r ? gnutls_strerror(r) : "no certificate");
}

/* ---- names in a certificate ---- */

/* One value of a name: text of one to PEER_NAME_MAX bytes without control characters (NUL above all). */
static bool take_text(const gnutls_x509_ava_st *ava, char out[static PEER_NAME_MAX + 1])
{
	enum { UTF8 = 12, PRINTABLE = 19, IA5 = 22 };

	if (ava->value_tag != UTF8 && ava->value_tag != PRINTABLE && ava->value_tag != IA5)
		return false;
	if (!ava->value.size || ava->value.size > PEER_NAME_MAX)
		return false;
	for (unsigned i = 0; i < ava->value.size; i++)
		if (ava->value.data[i] < ' ' || ava->value.data[i] == 127)
			return false;
	memcpy(out, ava->value.data, ava->value.size);
	out[ava->value.size] = 0;
	return true;
}

static bool is_oid(const gnutls_x509_ava_st *ava, const char *oid)
{
	return ava->oid.size && strncmp((const char *)ava->oid.data, oid, ava->oid.size) == 0 &&
	       strlen(oid) == strnlen((const char *)ava->oid.data, ava->oid.size);
}

/* Exactly one common name; two would leave open which one counts. */
static bool take_ava(const gnutls_x509_ava_st *ava, struct peer_names *n, size_t *groups)
{
	if (is_oid(ava, GNUTLS_OID_X520_COMMON_NAME))
		return !*n->name && take_text(ava, n->name);
	if (is_oid(ava, GNUTLS_OID_X520_ORGANIZATION_NAME)) {
		if (*groups == PEER_GROUPS_MAX || !take_text(ava, n->group[*groups]))
			return false;
		n->groups[*groups] = n->group[*groups];
		++*groups;
	}
	return true;
}

static bool take_names(gnutls_x509_dn_t dn, struct peer_names *n)
{
	gnutls_x509_ava_st ava;
	size_t groups = 0;

	for (int rdn = 0; rdn < 64; rdn++) {
		int i = 0;
		while (gnutls_x509_dn_get_rdn_ava(dn, rdn, i, &ava) >= 0) {
			if (++i > 64 || !take_ava(&ava, n, &groups))
				return false;
		}
		if (!i)
			return *n->name;
	}
	return false;
}

static bool read_names(const gnutls_datum_t *der, struct peer_names *n)
{
	gnutls_x509_crt_t crt;
	gnutls_x509_dn_t dn;

	if (gnutls_x509_crt_init(&crt) < 0)
		return false;
	bool good = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) >= 0 &&
		    gnutls_x509_crt_get_subject(crt, &dn) >= 0 && take_names(dn, n);
	gnutls_x509_crt_deinit(crt);
	return good;
}

static bool is_trusted(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
		.size = sizeof(GNUTLS_KP_TLS_WWW_CLIENT) - 1,
	};
	unsigned status = 0;
	int r = gnutls_certificate_verify_peers(session, &purpose, 1, &status);

	if (r >= 0 && !status)
		return true;
	gnutls_datum_t text = { 0 };
	if (r >= 0)
		gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
	log_debug("client certificate refused", "reason",
		  r < 0 ? gnutls_strerror(r) : (const char *)text.data, NULL);
	gnutls_free(text.data);
	return false;
}

bool tls_peer(gnutls_session_t session, struct peer_names **ret)
{
	unsigned count = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(session, &count);

	*ret = NULL;
	if (!certs || !count)
		return true;
	if (!is_trusted(session))
		return false;
	struct peer_names *n = calloc(1, sizeof(*n));
	if (!n || !read_names(&certs[0], n)) {
		free(n);
		return false;
	}
	*ret = n;
	return true;
}

/* In the handshake: a failure ends it with an alert. */
static int verify(gnutls_session_t session)
{
	struct peer_names *names = NULL;
	bool good = tls_peer(session, &names);

	free(names);
	return good ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

void tls_guard(gnutls_session_t session)
{
	gnutls_session_set_verify_function(session, verify);
}

/* ---- bytes, where libmicrohttpd has left the session to us ---- */

static ssize_t fail(ssize_t code)
{
	errno = code == GNUTLS_E_AGAIN ? EAGAIN : code == GNUTLS_E_INTERRUPTED ? EINTR : EPROTO;
	return -1;
}

ssize_t tls_receive(gnutls_session_t session, char *room, size_t len)
{
	ssize_t n = gnutls_record_recv(session, room, len);

	/* An end without its alert is an end. */
	return n >= 0 ? n : n == GNUTLS_E_PREMATURE_TERMINATION ? 0 : fail(n);
}

/* A record that did not fit into the socket is kept by GnuTLS: it goes out before anything else, and counts
 * then. */
ssize_t tls_send(gnutls_session_t session, const char *bytes, size_t len, bool *again)
{
	ssize_t n = *again ? gnutls_record_send(session, NULL, 0) : gnutls_record_send(session, bytes, len);

	*again = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
	return n >= 0 ? n : fail(n);
}
