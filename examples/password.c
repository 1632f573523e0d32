/* examples/password.c: scrypt by libcrypto. */
#include "examples/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>

#include "examples/base64url.h"

#define COST	  16384u
#define BLOCK	  8u
#define PARALLEL  1u
#define SALT_SIZE 16u
#define HASH_SIZE 32u
#define MEMORY	  (64u << 20)

struct parameters {
	uint64_t cost, block, parallel;
	struct str *salt, *hash; /* borrowed */
};

static err *derive(const char *password, const struct parameters *p, uint8_t out[static HASH_SIZE])
{
	if (!EVP_PBE_scrypt(password, strlen(password), (const uint8_t *)p->salt->data, p->salt->len, p->cost,
			    p->block, p->parallel, MEMORY, out, HASH_SIZE))
		return err_new(EINVAL, "password hash: scrypt refuses its parameters");
	return NULL;
}

err *password_hash(const char *password, struct str *out)
{
	uint8_t salt[SALT_SIZE], hash[HASH_SIZE];
	struct str salt_text = { .data = (char *)salt, .len = SALT_SIZE };
	struct parameters p = { COST, BLOCK, PARALLEL, &salt_text, NULL };

	if (strlen(password) > PASSWORD_MAX)
		return err_new(EINVAL, "password: longer than %d bytes", PASSWORD_MAX);
	if (RAND_bytes(salt, sizeof(salt)) != 1)
		return err_new(EIO, "password: no randomness");
	TRY(derive(password, &p, hash));
	str_addf(out, "scrypt:%u:%u:%u:", COST, BLOCK, PARALLEL);
	base64url_add(out, salt, sizeof(salt));
	str_add_char(out, ':');
	base64url_add(out, hash, sizeof(hash));
	return str_check(out);
}

/* Bounds of a number keep a wrong file from taking the machine. */
static bool take_number(const char **text, uint64_t max, uint64_t *ret)
{
	char digits[12];
	size_t len = strcspn(*text, ":");

	if (len == 0 || len >= sizeof(digits) || (*text)[len] != ':')
		return false;
	memcpy(digits, *text, len);
	digits[len] = '\0';
	*text += len + 1;
	return str_to_u64(digits, ret) && *ret > 0 && *ret <= max;
}

static bool parse(const char *text, struct parameters *p)
{
	size_t len;

	if (!str_starts_with(text, "scrypt:"))
		return false;
	text += strlen("scrypt:");
	if (!take_number(&text, 1 << 17, &p->cost) || !take_number(&text, 16, &p->block) ||
	    !take_number(&text, 4, &p->parallel))
		return false;
	len = strcspn(text, ":");
	return text[len] == ':' && base64url_decode(text, len, p->salt) && p->salt->len >= 8 &&
	       base64url_decode(text + len + 1, strlen(text + len + 1), p->hash) && p->hash->len == HASH_SIZE;
}

err *password_verify(const char *password, const char *hash, bool *ret)
{
	/* Of no password: what an unknown user is compared with. */
	static const char nobody[] = "scrypt:16384:8:1:AAAAAAAAAAAAAAAAAAAAAA:"
				     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	auto_str struct str salt = STR_INIT(64);
	auto_str struct str want = STR_INIT(HASH_SIZE);
	struct parameters p = { .salt = &salt, .hash = &want };
	uint8_t got[HASH_SIZE];

	*ret = false;
	if (strlen(password) > PASSWORD_MAX)
		return NULL;
	if (!parse(hash ? hash : nobody, &p))
		return err_new(EINVAL, "password hash: not scrypt:COST:BLOCK:PARALLEL:SALT:HASH");
	TRY(derive(password, &p, got));
	*ret = CRYPTO_memcmp(got, want.data, HASH_SIZE) == 0 && hash;
	return NULL;
}
