/* net/pki-read.c: certificates and keys read: whose they are, and whether they fit. */
#include "net/pki-internal.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define BUNDLE_MAX 16

DEFINE_CLEANUP(X509_STORE *, X509_STORE_free)
DEFINE_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free)

/* A key with a passphrase is refused: nobody is there to be asked. */
static int no_passphrase(char *buf UNUSED, int size UNUSED, int writing UNUSED, void *user UNUSED)
{
	return -1;
}

static err *open_pem(const char *pem, const char *what, BIO **ret)
{
	size_t len = strnlen(pem ? pem : "", PKI_PEM_MAX + 1);

	if (!len)
		return err_new(EINVAL, "%s: empty", what);
	if (len > PKI_PEM_MAX)
		return err_new(EFBIG, "%s: over %d bytes", what, PKI_PEM_MAX);
	*ret = BIO_new_mem_buf(pem, (int)len);
	return *ret ? NULL : err_oom();
}

err *pki_load_cert(const char *pem, X509 **ret)
{
	CLEANUP(BIO_free_all) BIO *bio = NULL;

	TRY(open_pem(pem, "certificate", &bio));
	*ret = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	return *ret ? NULL : pki_error("certificate");
}

err *pki_load_key(const char *pem, EVP_PKEY **ret)
{
	CLEANUP(BIO_free_all) BIO *bio = NULL;

	TRY(open_pem(pem, "key", &bio));
	*ret = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	return *ret ? NULL : pki_error("key");
}

/* ---- what a certificate says ---- */

/* Bytes of a certificate as a text of ours; NUL and control characters have no place in one. */
static err *take_text(struct arena *arena, const ASN1_STRING *s, const char *what, const char **ret)
{
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, s);
	bool good = len > 0 && len <= PKI_NAME_MAX;

	for (int i = 0; good && i < len; i++)
		good = utf8[i] >= ' ' && utf8[i] != 127;
	const char *text = good ? arena_strndup(arena, (char *)utf8, (size_t)len) : NULL;
	OPENSSL_free(utf8);
	ERR_clear_error();
	if (!good)
		return err_new(EINVAL, "certificate: %s is not a text of 1 to %d bytes", what, PKI_NAME_MAX);
	*ret = text;
	return text ? NULL : arena_error(arena);
}

static err *read_subject(struct arena *arena, X509 *cert, struct pki_info *ret)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	const char **groups;
	size_t count = 0;

	TRY_ALLOC(arena, groups, arena_array(arena, PKI_GROUPS_MAX + 1, sizeof(*groups)));
	for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
		int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));

		if (nid == NID_commonName && ret->name)
			return err_new(EINVAL, "certificate: more than one common name");
		if (nid == NID_commonName)
			TRY(take_text(arena, value, "its common name", &ret->name));
		if (nid == NID_organizationName && count == PKI_GROUPS_MAX)
			return err_new(E2BIG, "certificate: more than %d organisations", PKI_GROUPS_MAX);
		if (nid == NID_organizationName)
			TRY(take_text(arena, value, "an organisation", &groups[count++]));
	}
	ret->groups = groups;
	return ret->name ? NULL : err_new(EINVAL, "certificate: without a common name");
}

static err *read_address(struct arena *arena, const GENERAL_NAME *name, const char **ret)
{
	char text[INET6_ADDRSTRLEN];
	int type;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

	*ret = NULL;
	if (type == GEN_DNS)
		return take_text(arena, value, "a host name", ret);
	if (type != GEN_IPADD)
		return NULL;
	int len = ASN1_STRING_length(value);
	if (len != 4 && len != 16)
		return err_new(EINVAL, "certificate: an IP address of %d bytes", len);
	inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text, sizeof(text));
	TRY_ALLOC(arena, *ret, arena_strdup(arena, text));
	return NULL;
}

static err *read_addresses(struct arena *arena, X509 *cert, struct pki_info *ret)
{
	CLEANUP(GENERAL_NAMES_free)
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int total = names ? sk_GENERAL_NAME_num(names) : 0;
	const char **list;
	size_t count = 0;

	if (total > PKI_ADDRESSES_MAX)
		return err_new(E2BIG, "certificate: more than %d addresses", PKI_ADDRESSES_MAX);
	TRY_ALLOC(arena, list, arena_array(arena, (size_t)total + 1, sizeof(*list)));
	for (int i = 0; i < total; i++) {
		TRY(read_address(arena, sk_GENERAL_NAME_value(names, i), &list[count]));
		count += list[count] != NULL;
	}
	ret->addresses = list;
	return NULL;
}

static err *read_time(const ASN1_TIME *t, int64_t *ret)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(t, &tm))
		return pki_error("certificate: its dates");
	time_t at = timegm(&tm);
	/* What nanoseconds can count: the years 1678 to 2261; beyond is as good as for ever. */
	*ret = at > INT64_MAX / (int64_t)NSEC_PER_SEC	? INT64_MAX
	       : at < INT64_MIN / (int64_t)NSEC_PER_SEC ? INT64_MIN
							: (int64_t)at * (int64_t)NSEC_PER_SEC;
	return NULL;
}

static err *read_serial(struct arena *arena, X509 *cert, const char **ret)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;

	*ret = arena_strdup(arena, hex);
	BN_free(number);
	bool good = hex;
	OPENSSL_free(hex);
	if (!good)
		return pki_error("certificate: its serial number");
	return *ret ? NULL : arena_error(arena);
}

err *pki_read(struct arena *arena, const char *cert_pem, struct pki_info *ret)
{
	CLEANUP(X509_free) X509 *cert = NULL;
	struct pki_info info = { 0 };

	TRY(pki_load_cert(cert_pem, &cert));
	if (X509_get_extension_flags(cert) & EXFLAG_INVALID)
		return err_new(EINVAL, "certificate: broken extensions");
	TRY(read_subject(arena, cert, &info));
	TRY(read_addresses(arena, cert, &info));
	TRY(read_serial(arena, cert, &info.serial));
	TRY(read_time(X509_get0_notBefore(cert), &info.begins));
	TRY(read_time(X509_get0_notAfter(cert), &info.ends));
	bool purposes = X509_get_extension_flags(cert) & EXFLAG_XKUSAGE;
	uint32_t usage = purposes ? X509_get_extended_key_usage(cert) : 0;
	info.server = usage & XKU_SSL_SERVER;
	info.client = usage & XKU_SSL_CLIENT;
	info.authority = X509_get_extension_flags(cert) & EXFLAG_CA;
	*ret = info;
	return NULL;
}

/* ---- whether they fit ---- */

/* All certificates of the text: while an authority is being replaced there are two. */
static err *load_authorities(const char *pem, X509_STORE *store)
{
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	int count = 0;

	TRY(open_pem(pem, "authority", &bio));
	for (X509 *cert; (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)); count++) {
		bool good = count < BUNDLE_MAX && X509_STORE_add_cert(store, cert);
		X509_free(cert);
		if (!good)
			return err_new(E2BIG, "authority: more than %d certificates", BUNDLE_MAX);
	}
	if (!count)
		return pki_error("authority");
	ERR_clear_error();
	return NULL;
}

static err *verify(X509 *cert, X509_STORE *store)
{
	CLEANUP(X509_STORE_CTX_free) X509_STORE_CTX *context = X509_STORE_CTX_new();

	if (!context || !X509_STORE_CTX_init(context, store, cert, NULL))
		return err_oom();
	int r = X509_verify_cert(context);
	int code = X509_STORE_CTX_get_error(context);
	ERR_clear_error();
	if (r == 1)
		return NULL;
	return err_new(code == X509_V_ERR_CERT_HAS_EXPIRED ? EKEYEXPIRED : EKEYREJECTED, "certificate: %s",
		       X509_verify_cert_error_string(code));
}

err *pki_check(const struct pki_pair *pair, const char *authority_cert)
{
	CLEANUP(X509_free) X509 *cert = NULL;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP(X509_STORE_free) X509_STORE *store = X509_STORE_new();

	if (!store)
		return err_oom();
	TRY(pki_load_cert(pair->cert, &cert));
	TRY(pki_load_key(pair->key, &key));
	TRY(load_authorities(authority_cert, store));
	if (X509_check_private_key(cert, key) != 1) {
		ERR_clear_error();
		return err_new(EKEYREJECTED, "key: it is another certificate's");
	}
	return verify(cert, store);
}
