/* tests/unit/examples/token_test.c: a token is believed only as bayernid signed it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "examples/base64url.h"
#include "examples/token.h"

#define NOW 1795000000

struct fixture {
	char dir[64];
	int dir_fd;
	struct signing_key *key, *other;
	struct keyring ring;
	struct arena *arena;
};

static int setup(void **state)
{
	static struct fixture f;
	bool created = false;

	snprintf(f.dir, sizeof(f.dir), "/tmp/token-test-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	f.dir_fd = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_null(signing_key_open(f.dir_fd, "key.pem", true, &created, &f.key));
	assert_true(created);
	assert_null(signing_key_open(f.dir_fd, "other.pem", true, NULL, &f.other));
	f.ring = (struct keyring){ .keys = { *signing_key_public(f.key) }, .count = 1 };
	assert_null(arena_new(1 << 20, &f.arena));
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	signing_key_free(f->key);
	signing_key_free(f->other);
	arena_free(f->arena);
	fd_close(f->dir_fd);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_null(path_remove_all(tmp, f->dir + strlen("/tmp/")));
	return 0;
}

static struct claims erika(void)
{
	return (struct claims){
		.issuer = TOKEN_ISSUER,
		.audience = TOKEN_AUDIENCE,
		.subject = "s-1",
		.name = "Erika Mustermann",
		.role = ROLE_CITIZEN,
		.loa = LOA_SUBSTANTIAL,
		.issued = NOW,
		.expires = NOW + 900,
		.authenticated = NOW,
		.id = "j-1",
	};
}

static void test_claims_come_back_as_they_were_signed(void **state)
{
	struct fixture *f = *state;
	struct claims claims = erika(), got;
	auto_str struct str token = STR_INIT(TOKEN_MAX);

	assert_null(token_sign(f->key, &claims, &token));
	assert_null(token_verify(f->arena, &f->ring, NOW + 10, token.data, &got));
	assert_string_equal(got.subject, "s-1");
	assert_string_equal(got.name, "Erika Mustermann");
	assert_int_equal(got.role, ROLE_CITIZEN);
	assert_int_equal(got.loa, LOA_SUBSTANTIAL);
	assert_int_equal(got.expires, NOW + 900);
	assert_string_equal(got.id, "j-1");
}

static void assert_refused(struct fixture *f, const char *token, int code, const char *reason)
{
	struct claims got;
	auto_str struct str text = STR_INIT(1024);
	auto_err err *e = token_verify(f->arena, &f->ring, NOW, token, &got);

	assert_non_null(e);
	err_format(e, &text);
	if (!strstr(text.data, reason))
		fail_msg("'%s' does not say '%s'", text.data, reason);
	assert_int_equal(e->code, code);
}

static void test_claims_that_are_not_for_now_and_us_are_refused(void **state)
{
	struct fixture *f = *state;
	struct {
		struct claims claims;
		const char *reason;
	} rows[] = {
		{ erika(), "expired" },
		{ erika(), "expired" },
		{ erika(), "future" },
		{ erika(), "issued by somebody else" },
		{ erika(), "meant for somebody else" },
	};

	rows[0].claims.expires = NOW;
	rows[1].claims.expires = -1;
	rows[2].claims.issued = NOW + TOKEN_LEEWAY + 1;
	rows[3].claims.issuer = "somebody";
	rows[4].claims.audience = "shop";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str token = STR_INIT(TOKEN_MAX);

		assert_null(token_sign(f->key, &rows[i].claims, &token));
		assert_refused(f, token.data, EACCES, rows[i].reason);
	}
}

/* A token of any header and claims, signed with the right key. */
static void forge(struct fixture *f, const char *header, const char *claims, struct str *token)
{
	uint8_t signature[SIGNATURE_SIZE];

	base64url_add(token, header, strlen(header));
	str_add_char(token, '.');
	base64url_add(token, claims, strlen(claims));
	assert_null(signing_sign(f->key, token->data, token->len, signature));
	str_add_char(token, '.');
	base64url_add(token, signature, sizeof(signature));
}

static void test_headers_choose_nothing(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *before, *after; /* the key's id */
		const char *reason;
	} rows[] = {
		{ "{\"alg\":\"none\",\"kid\":\"", "\"}", "algorithm" },
		{ "{\"alg\":\"HS256\",\"kid\":\"", "\"}", "algorithm" },
		{ "{\"alg\":\"eddsa\",\"kid\":\"", "\"}", "algorithm" },
		{ "{\"kid\":\"", "\"}", "required" },
		{ "{\"alg\":\"EdDSA\",\"crit\":[\"exp\"],\"kid\":\"", "\"}", "crit" },
		{ "{\"alg\":\"EdDSA\",\"alg\":\"none\",\"kid\":\"", "\"}", "duplicate" },
		{ "[\"", "\"]", "expected" },
		{ "{", "", "header" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str token = STR_INIT(TOKEN_MAX);
		char header[256];

		snprintf(header, sizeof(header), "%s%s%s", rows[i].before, signing_key_public(f->key)->id,
			 rows[i].after);
		forge(f, header, "{}", &token);
		assert_refused(f, token.data, EACCES, rows[i].reason);
	}
}

static void test_a_changed_character_anywhere_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct claims claims = erika(), got;
	auto_str struct str token = STR_INIT(TOKEN_MAX);

	assert_null(token_sign(f->key, &claims, &token));
	for (size_t i = 0; i < token.len; i++) {
		char right = token.data[i];

		token.data[i] = right == 'A' ? 'B' : 'A';
		auto_err err *e = token_verify(f->arena, &f->ring, NOW, token.data, &got);
		assert_non_null(e);
		token.data[i] = right;
	}
	assert_null(token_verify(f->arena, &f->ring, NOW, token.data, &got));
}

static void test_another_key_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct claims claims = erika();
	auto_str struct str token = STR_INIT(TOKEN_MAX);

	assert_null(token_sign(f->other, &claims, &token));
	assert_refused(f, token.data, ENOKEY, "unknown key");
}

static void test_texts_that_are_no_tokens_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const rows[] = { "",	     ".",     "..",	  "a.b",
					    "a.b.c", "!.!.!", "e30.e30.", "null.null.null" };
	auto_str struct str longest = STR_INIT(2 * TOKEN_MAX);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_refused(f, rows[i], EACCES, "token");
	for (size_t i = 0; i <= TOKEN_MAX; i++)
		str_add_char(&longest, '.');
	assert_refused(f, longest.data, EACCES, "too long");
}

static void test_a_key_that_others_may_read_is_refused(void **state)
{
	struct fixture *f = *state;
	struct signing_key *key = NULL;
	struct stat st;

	assert_int_equal(fstatat(f->dir_fd, "key.pem", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_null(file_replace(f->dir_fd, "open.pem", "x", 1, 0644));
	auto_err err *e = signing_key_open(f->dir_fd, "open.pem", true, NULL, &key);
	assert_non_null(e);
	assert_int_equal(e->code, EPERM);
	assert_null(file_replace(f->dir_fd, "bad.pem", "x", 1, 0600));
	auto_err err *bad = signing_key_open(f->dir_fd, "bad.pem", true, NULL, &key);
	assert_non_null(bad);
	assert_int_equal(bad->code, EINVAL);
}

static void test_a_key_stays_the_same_when_opened_again(void **state)
{
	struct fixture *f = *state;
	auto_signing_key struct signing_key *again = NULL;
	bool created = true;

	assert_null(signing_key_open(f->dir_fd, "key.pem", true, &created, &again));
	assert_false(created);
	assert_string_equal(signing_key_public(again)->id, signing_key_public(f->key)->id);
}

static void test_a_ring_survives_its_text(void **state)
{
	struct fixture *f = *state;
	static const char *const unusable[] = {
		"{}",
		"{\"keys\":[]}",
		"[]",
		"{\"keys\":[{\"kty\":\"RSA\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}",
	};
	auto_str struct str text = STR_INIT(4096);
	struct keyring ring;

	keyring_encode(&f->ring, &text);
	assert_null(keyring_parse(text.data, text.len, &ring));
	assert_int_equal(ring.count, 1);
	assert_non_null(keyring_find(&ring, signing_key_public(f->key)->id));
	assert_null(keyring_find(&ring, "nobody"));
	for (size_t i = 0; i < ARRAY_LEN(unusable); i++) {
		auto_err err *e = keyring_parse(unusable[i], strlen(unusable[i]), &ring);
		assert_non_null(e);
	}
}

static void test_a_signed_statement_is_no_token(void **state)
{
	struct fixture *f = *state;
	auto_str struct str text = STR_INIT(1024);
	char digest[DIGEST_SIZE];

	assert_null(digest_text("abc", 3, digest));
	assert_string_equal(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(digest_is_valid(digest));
	assert_false(digest_is_valid("sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
	assert_false(digest_is_valid("sha256:12"));
	statement_text(digest, "s-1", NOW, &text);
	assert_non_null(strchr(text.data, ' '));
	assert_refused(f, text.data, EACCES, "token");
}

static void test_base64url_has_one_text_for_each_bytes(void **state UNUSED)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" }, { "\xff\xfe", "__4" } };
	static const char *const bad[] = { "A",	   "AAAAA", "Zh",  "Zm9",      "Zg==",
					   "Zm+v", "Zm/v",  "Z g", "\xc3\xa4" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str text = STR_INIT(64);
		auto_str struct str bytes = STR_INIT(64);

		base64url_add(&text, rows[i].bytes, strlen(rows[i].bytes));
		assert_string_equal(text.data, rows[i].text);
		assert_true(base64url_decode(text.data, text.len, &bytes));
		assert_string_equal(bytes.data, rows[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_str struct str bytes = STR_INIT(64);

		assert_false(base64url_decode(bad[i], strlen(bad[i]), &bytes));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims_come_back_as_they_were_signed),
		cmocka_unit_test(test_claims_that_are_not_for_now_and_us_are_refused),
		cmocka_unit_test(test_headers_choose_nothing),
		cmocka_unit_test(test_a_changed_character_anywhere_is_noticed),
		cmocka_unit_test(test_another_key_is_unknown),
		cmocka_unit_test(test_texts_that_are_no_tokens_are_refused),
		cmocka_unit_test(test_a_key_that_others_may_read_is_refused),
		cmocka_unit_test(test_a_key_stays_the_same_when_opened_again),
		cmocka_unit_test(test_a_ring_survives_its_text),
		cmocka_unit_test(test_a_signed_statement_is_no_token),
		cmocka_unit_test(test_base64url_has_one_text_for_each_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
