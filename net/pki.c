/* net/pki.c: keys and certificates made: an authority, and what it signs. */
#include "net/pki.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "net/pki-internal.h"

enum { SERIAL_BYTES = 16, EARLIER_SEC = 60 };

DEFINE_CLEANUP(X509_NAME *, X509_NAME_free)
DEFINE_CLEANUP(X509_NAME_ENTRY *, X509_NAME_ENTRY_free)
DEFINE_CLEANUP(EXTENDED_KEY_USAGE *, EXTENDED_KEY_USAGE_free)
DEFINE_CLEANUP(GENERAL_NAME *, GENERAL_NAME_free)
DEFINE_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free)

err *pki_error(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	err *e = err_new(EINVAL, "%s: %s", what, reason ? reason : "not understood");
	ERR_clear_error();
	return e;
}

/* ---- names ---- */

static bool is_text(const char *name)
{
	size_t len = strnlen(name, PKI_NAME_MAX + 1);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 127)
			return false;
	return len && len <= PKI_NAME_MAX;
}

/* As UTF8String with our own bound: libcrypto's table ends common names at 64 bytes, and names of nodes are
 * longer. */
static err *add_name(X509_NAME *to, int nid, const char *text)
{
	if (!is_text(text))
		return err_new(EINVAL, "name '%.64s': not a text of 1 to %d bytes", text, PKI_NAME_MAX);
	CLEANUP(X509_NAME_ENTRY_free)
	X509_NAME_ENTRY *entry =
		X509_NAME_ENTRY_create_by_NID(NULL, nid, V_ASN1_UTF8STRING, (const unsigned char *)text,
					      (int)strlen(text));
	if (!entry || !X509_NAME_add_entry(to, entry, -1, 0))
		return pki_error("name of a certificate");
	return NULL;
}

static err *add_subject(X509 *cert, const char *name, const char *const *groups)
{
	CLEANUP(X509_NAME_free) X509_NAME *subject = X509_NAME_new();

	if (!subject)
		return err_oom();
	for (size_t i = 0; groups && groups[i]; i++) {
		if (i == PKI_GROUPS_MAX)
			return err_new(E2BIG, "more than %d groups", PKI_GROUPS_MAX);
		TRY(add_name(subject, NID_organizationName, groups[i]));
	}
	TRY(add_name(subject, NID_commonName, name));
	return X509_set_subject_name(cert, subject) ? NULL : pki_error("name of a certificate");
}

/* ---- extensions ---- */

static err *add_extension(X509 *cert, int nid, void *value, bool critical)
{
	if (value && X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_APPEND) == 1)
		return NULL;
	return pki_error(OBJ_nid2ln(nid));
}

static err *add_basic_constraints(X509 *cert, bool authority)
{
	BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();

	if (!b)
		return err_oom();
	b->ca = authority ? 0xff : 0;
	b->pathlen = authority ? ASN1_INTEGER_new() : NULL; /* zero: it signs no other authority */
	err *e = add_extension(cert, NID_basic_constraints, b, true);
	BASIC_CONSTRAINTS_free(b);
	return e;
}

static err *add_key_usage(X509 *cert, bool authority)
{
	enum { DIGITAL_SIGNATURE = 0, CERT_SIGN = 5, CRL_SIGN = 6 };
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();

	if (!bits)
		return err_oom();
	ASN1_BIT_STRING_set_bit(bits, authority ? CERT_SIGN : DIGITAL_SIGNATURE, 1);
	if (authority)
		ASN1_BIT_STRING_set_bit(bits, CRL_SIGN, 1);
	err *e = add_extension(cert, NID_key_usage, bits, true);
	ASN1_BIT_STRING_free(bits);
	return e;
}

static err *add_purposes(X509 *cert, bool server, bool client)
{
	CLEANUP(EXTENDED_KEY_USAGE_free) EXTENDED_KEY_USAGE *list = EXTENDED_KEY_USAGE_new();

	if (!server && !client)
		return err_new(EINVAL, "a certificate is for a server, a client, or both");
	if (!list || (server && !sk_ASN1_OBJECT_push(list, OBJ_nid2obj(NID_server_auth))) ||
	    (client && !sk_ASN1_OBJECT_push(list, OBJ_nid2obj(NID_client_auth))))
		return err_oom();
	return add_extension(cert, NID_ext_key_usage, list, false);
}

static bool is_host(const char *name)
{
	size_t len = strlen(name);
	const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;

	for (const char *c = rest; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_' &&
		    (*c != '.' || c == rest || c[1] == '.'))
			return false;
	return *rest && len <= PKI_NAME_MAX;
}

static err *general_name(const char *address, GENERAL_NAME *to)
{
	unsigned char ip[16];
	size_t len = inet_pton(AF_INET, address, ip) == 1    ? 4
		     : inet_pton(AF_INET6, address, ip) == 1 ? 16
							     : 0;
	ASN1_STRING *value = len ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

	if (!value || !ASN1_STRING_set(value, len ? (const void *)ip : address, len ? (int)len : -1)) {
		ASN1_STRING_free(value);
		return err_oom();
	}
	GENERAL_NAME_set0_value(to, len ? GEN_IPADD : GEN_DNS, value);
	if (!len && !is_host(address))
		return err_new(EINVAL, "address '%.64s': neither a host name nor an IP address", address);
	return NULL;
}

static err *add_address(GENERAL_NAMES *list, const char *address)
{
	CLEANUP(GENERAL_NAME_free) GENERAL_NAME *name = GENERAL_NAME_new();

	if (!name)
		return err_oom();
	TRY(general_name(address, name));
	if (!sk_GENERAL_NAME_push(list, name))
		return err_oom();
	name = NULL; /* the list's now */
	return NULL;
}

static err *add_addresses(X509 *cert, const char *const *addresses)
{
	CLEANUP(GENERAL_NAMES_free) GENERAL_NAMES *list = GENERAL_NAMES_new();

	if (!addresses || !*addresses)
		return NULL;
	if (!list)
		return err_oom();
	for (size_t i = 0; addresses[i]; i++) {
		if (i == PKI_ADDRESSES_MAX)
			return err_new(E2BIG, "more than %d addresses", PKI_ADDRESSES_MAX);
		TRY(add_address(list, addresses[i]));
	}
	return add_extension(cert, NID_subject_alt_name, list, false);
}

/* Which key this is, and which key signed it (RFC 5280, 4.2.1.1 and 4.2.1.2). */
static err *add_key_ids(X509 *cert, X509 *issuer)
{
	static const struct {
		int nid;
		const char *value;
	} ids[] = { { NID_subject_key_identifier, "hash" },
		    { NID_authority_key_identifier, "keyid:always" } };
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		CLEANUP(X509_EXTENSION_free)
		X509_EXTENSION *x = X509V3_EXT_nconf_nid(NULL, &context, ids[i].nid, ids[i].value);
		if (!x || !X509_add_ext(cert, x, -1))
			return pki_error(OBJ_nid2ln(ids[i].nid));
	}
	return NULL;
}

/* ---- a certificate ---- */

/* Sixteen bytes, always: the first is neither 0 nor negative. */
static err *set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return pki_error("random bytes");
	bytes[0] = (bytes[0] & 0x3f) | 0x40;
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return good ? NULL : err_oom();
}

/* No longer than its authority. */
static err *set_dates(X509 *cert, const X509 *issuer, int64_t lifetime)
{
	time_t now = (time_t)(clock_real() / (int64_t)NSEC_PER_SEC);
	time_t end = now + (time_t)(lifetime / (int64_t)NSEC_PER_SEC);
	ASN1_TIME *after = X509_getm_notAfter(cert);

	if (lifetime < (int64_t)NSEC_PER_SEC)
		return err_new(EINVAL, "a certificate lasts a second or more");
	if (!ASN1_TIME_set(X509_getm_notBefore(cert), now - EARLIER_SEC) || !ASN1_TIME_set(after, end))
		return pki_error("dates of a certificate");
	if (issuer && ASN1_TIME_compare(X509_get0_notAfter(issuer), after) < 0 &&
	    !X509_set1_notAfter(cert, X509_get0_notAfter(issuer)))
		return err_oom();
	return NULL;
}

static err *to_pem(struct arena *arena, BIO *bio, const char **ret)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	TRY_ALLOC(arena, *ret, arena_strndup(arena, text, (size_t)len));
	return NULL;
}

static err *write_pair(struct arena *arena, X509 *cert, EVP_PKEY *key, struct pki_pair *ret)
{
	CLEANUP(BIO_free_all) BIO *cert_bio = BIO_new(BIO_s_mem());
	CLEANUP(BIO_free_all) BIO *key_bio = BIO_new(BIO_s_secmem());

	if (!cert_bio || !key_bio || !PEM_write_bio_X509(cert_bio, cert) ||
	    !PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL))
		return pki_error("write certificate and key");
	TRY(to_pem(arena, cert_bio, &ret->cert));
	return to_pem(arena, key_bio, &ret->key);
}

/* issuer and signer: NULL for one that signs itself. */
static err *make(struct arena *arena, const struct pki_request *q, X509 *issuer, EVP_PKEY *signer,
		 struct pki_pair *ret)
{
	CLEANUP(X509_free) X509 *cert = X509_new();
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");

	if (!cert || !key)
		return pki_error("make a key");
	TRY(set_serial(cert));
	TRY(set_dates(cert, issuer, q->lifetime));
	TRY(add_subject(cert, q->name, q->groups));
	if (!X509_set_version(cert, X509_VERSION_3) || !X509_set_pubkey(cert, key) ||
	    !X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)))
		return pki_error("make a certificate");
	TRY(add_basic_constraints(cert, !issuer));
	TRY(add_key_usage(cert, !issuer));
	if (issuer)
		TRY(add_purposes(cert, q->server, q->client));
	TRY(add_addresses(cert, q->addresses));
	TRY(add_key_ids(cert, issuer ? issuer : cert));
	if (!X509_sign(cert, signer ? signer : key, EVP_sha256()))
		return pki_error("sign a certificate");
	return write_pair(arena, cert, key, ret);
}

err *pki_authority(struct arena *arena, const char *name, int64_t lifetime, struct pki_pair *ret)
{
	const struct pki_request q = { .name = name, .lifetime = lifetime };

	return err_wrap(make(arena, &q, NULL, NULL, ret), "authority '%.64s'", name);
}

static err *check_authority(X509 *cert, EVP_PKEY *key)
{
	if (X509_check_private_key(cert, key) != 1) {
		ERR_clear_error();
		return err_new(EINVAL, "authority: the key is another certificate's");
	}
	if (!(X509_get_extension_flags(cert) & EXFLAG_CA) || !(X509_get_key_usage(cert) & KU_KEY_CERT_SIGN))
		return err_new(EINVAL, "authority: its certificate may not sign others");
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
		return err_new(EKEYEXPIRED, "authority: its certificate has expired");
	return NULL;
}

err *pki_issue(struct arena *arena, const struct pki_pair *authority, const struct pki_request *request,
	       struct pki_pair *ret)
{
	CLEANUP(X509_free) X509 *issuer = NULL;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *signer = NULL;

	TRY(err_wrap(pki_load_cert(authority->cert, &issuer), "authority"));
	TRY(err_wrap(pki_load_key(authority->key, &signer), "authority"));
	TRY(check_authority(issuer, signer));
	return err_wrap(make(arena, request, issuer, signer, ret), "certificate '%.64s'", request->name);
}
