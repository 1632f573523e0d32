/* examples/signing.c: keys and signatures by libcrypto. */
#include "examples/signing.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/decode.h"
#include "base/fd.h"
#include "base/file.h"
#include "examples/base64url.h"

#define KEY_FILE_MAX 4096

struct signing_key {
	EVP_PKEY *pkey;
	struct public_key public;
};

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)

static err *crypto_error(const char *what)
{
	char text[256] = "no reason given";
	unsigned long code = ERR_get_error();

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_new(EIO, "%s: %s", what, text);
}

/* The id is the thumbprint of RFC 7638: whoever has the key computes the same. */
static err *public_key_set(struct public_key *key, const uint8_t bytes[static PUBLIC_SIZE])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	auto_str struct str text = STR_INIT(256);

	memmove(key->bytes, bytes, PUBLIC_SIZE);
	str_add(&text, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
	base64url_add(&text, key->bytes, PUBLIC_SIZE);
	str_add(&text, "\"}");
	TRY(str_check(&text));
	if (!EVP_Digest(text.data, text.len, hash, NULL, EVP_sha256(), NULL))
		return crypto_error("thumbprint of a key");
	str_clear(&text);
	base64url_add(&text, hash, 32);
	TRY(str_check(&text));
	snprintf(key->id, sizeof(key->id), "%s", text.data);
	return NULL;
}

static err *make_key(int dir_fd, const char *name)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_secmem());
	char *pem = NULL;
	long len;

	if (!pkey || !bio || !PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL))
		return crypto_error("make a key");
	len = BIO_get_mem_data(bio, &pem);
	return file_replace(dir_fd, name, pem, (size_t)len, 0600);
}

static err *check_mode(int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0) < 0)
		return err_errno("open the key");
	if (st.st_mode & 077)
		return err_hint(err_new(EPERM, "mode %04o lets others read the key", st.st_mode & 07777),
				"Take it from them with chmod 600, and think about who has read it.");
	return NULL;
}

static err *load_key(int dir_fd, const char *name, struct signing_key *key)
{
	auto_str struct str pem = STR_INIT(KEY_FILE_MAX);
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	uint8_t bytes[PUBLIC_SIZE];
	size_t len = sizeof(bytes);
	err *e;

	TRY(check_mode(dir_fd, name));
	TRY(file_read(dir_fd, name, &pem));
	bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	key->pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	ERR_clear_error();
	if (!key->pkey || !EVP_PKEY_is_a(key->pkey, "ED25519"))
		e = err_new(EINVAL, "no Ed25519 private key in PEM");
	else if (!EVP_PKEY_get_raw_public_key(key->pkey, bytes, &len) || len != sizeof(bytes))
		e = crypto_error("read the public key");
	else
		e = public_key_set(&key->public, bytes);
	explicit_bzero(pem.data, pem.len);
	return e;
}

err *signing_key_open(int dir_fd, const char *name, bool create, bool *ret_created, struct signing_key **ret)
{
	auto_signing_key struct signing_key *key = calloc(1, sizeof(*key));
	bool missing = faccessat(dir_fd, name, F_OK, 0) < 0 && errno == ENOENT;

	if (!key)
		return err_oom();
	if (missing && create)
		TRY(err_wrap(make_key(dir_fd, name), "key '%s'", name));
	TRY(err_wrap(load_key(dir_fd, name, key), "key '%s'", name));
	if (ret_created)
		*ret_created = missing && create;
	*ret = TAKE(key);
	return NULL;
}

void signing_key_free(struct signing_key *key)
{
	if (key)
		EVP_PKEY_free(key->pkey);
	free(key);
}

const struct public_key *signing_key_public(const struct signing_key *key)
{
	return &key->public;
}

err *signing_sign(const struct signing_key *key, const void *bytes, size_t len,
		  uint8_t signature[static SIGNATURE_SIZE])
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t written = SIGNATURE_SIZE;

	if (!context || !EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) ||
	    !EVP_DigestSign(context, signature, &written, bytes, len) || written != SIGNATURE_SIZE)
		return crypto_error("sign");
	return NULL;
}

bool signing_verify(const struct public_key *key, const void *bytes, size_t len,
		    const uint8_t signature[static SIGNATURE_SIZE])
{
	CLEANUP(EVP_PKEY_free)
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, PUBLIC_SIZE);
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
		    EVP_DigestVerify(context, signature, SIGNATURE_SIZE, bytes, len) == 1;

	ERR_clear_error();
	return good;
}

void keyring_encode(const struct keyring *ring, struct str *out)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_begin_object(&w);
	json_key(&w, "keys");
	json_begin_array(&w);
	for (size_t i = 0; i < ring->count; i++) {
		auto_str struct str x = STR_INIT(64);

		base64url_add(&x, ring->keys[i].bytes, PUBLIC_SIZE);
		json_begin_object(&w);
		json_member_string(&w, "kty", "OKP");
		json_member_string(&w, "crv", "Ed25519");
		json_member_string(&w, "alg", "EdDSA");
		json_member_string(&w, "use", "sig");
		json_member_string(&w, "kid", ring->keys[i].id);
		json_member_string(&w, "x", x.data);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
}

struct jwk {
	const char *kty, *crv, *x;
};
/* clang-format off */
static const struct field jwk_fields[] = {
	FIELD(struct jwk, "kty", kty, t_string, 0, NULL),
	FIELD(struct jwk, "crv", crv, t_string, 0, NULL),
	FIELD(struct jwk, "x",   x,   t_string, 0, NULL),
	{0}
};
static const struct type t_jwk = OBJECT("JSON Web Key", struct jwk, jwk_fields);
static const struct type t_jwks = ARRAY_OF_MAX(t_jwk, 32);
struct jwk_set {
	LIST(struct jwk) keys;
};
static const struct field jwk_set_fields[] = {
	FIELD(struct jwk_set, "keys", keys, t_jwks, REQUIRED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_jwk_set = OBJECT("JSON Web Key Set", struct jwk_set, jwk_set_fields);

err *keyring_parse(const char *text, size_t len, struct keyring *ret)
{
	auto_arena struct arena *arena = NULL;
	struct jwk_set set = { 0 };
	struct keyring ring = { 0 };

	TRY(arena_new(256 * 1024, &arena));
	struct decoder d = { .arena = arena, .name = "key set" };
	TRY(decode_text(&d, &t_jwk_set, NULL, text, len, &set));
	for (size_t i = 0; i < set.keys.count && ring.count < KEYRING_MAX; i++) {
		const struct jwk *k = &set.keys.items[i];
		auto_str struct str bytes = STR_INIT(PUBLIC_SIZE);

		if (!str_equal(k->kty, "OKP") || !str_equal(k->crv, "Ed25519") || !k->x ||
		    !base64url_decode(k->x, strlen(k->x), &bytes) || bytes.len != PUBLIC_SIZE)
			continue;
		TRY(public_key_set(&ring.keys[ring.count], (const uint8_t *)bytes.data));
		ring.count++;
	}
	if (ring.count == 0)
		return err_new(EINVAL, "key set: no Ed25519 key");
	*ret = ring;
	return NULL;
}

const struct public_key *keyring_find(const struct keyring *ring, const char *id)
{
	for (size_t i = 0; id && i < ring->count; i++)
		if (str_equal(ring->keys[i].id, id))
			return &ring->keys[i];
	return NULL;
}

err *digest_text(const void *bytes, size_t len, char out[static DIGEST_SIZE])
{
	uint8_t hash[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL))
		return crypto_error("digest");
	snprintf(out, DIGEST_SIZE, "sha256:");
	for (unsigned i = 0; i < 32; i++)
		snprintf(out + 7 + 2 * i, 3, "%02x", hash[i]);
	return NULL;
}

bool digest_is_valid(const char *text)
{
	return text && str_starts_with(text, "sha256:") && strlen(text) == DIGEST_SIZE - 1 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

void statement_text(const char *digest, const char *subject, int64_t signed_at, struct str *out)
{
	str_addf(out, "bayernid: signature of a document, version 1\n%s\n%s\n%" PRId64 "\n", digest, subject,
		 signed_at);
}
