/* tests/unit/net/pki_test.c: an authority and what it signs, as this module and openssl(1) see it. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "net/pki.h"

#define DAY ((int64_t)(86400 * NSEC_PER_SEC))

static struct arena *arena;
static struct pki_pair ca, other;
static int64_t before;

static int make(void **state)
{
	(void)state;
	assert_ok(arena_new(16 << 20, &arena));
	before = clock_real() / (int64_t)NSEC_PER_SEC * (int64_t)NSEC_PER_SEC;
	assert_ok(pki_authority(arena, "stube", 365 * DAY, &ca));
	assert_ok(pki_authority(arena, "stube", 365 * DAY, &other));
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const char *const masters[] = { "system:masters", "Amt f\xc3\xbcr IT", NULL };
static const char *const addresses[] = { "localhost", "*.nodes.example", "127.0.0.1", "2001:db8::1", NULL };

static void test_an_authority_says_what_it_is(void **state)
{
	struct pki_info i;

	(void)state;
	assert_ok(pki_read(arena, ca.cert, &i));
	assert_string_equal(i.name, "stube");
	assert_null(i.groups[0]);
	assert_null(i.addresses[0]);
	assert_true(i.authority && !i.server && !i.client);
	assert_int_equal(strlen(i.serial), 32);
	assert_ok(pki_check(&ca, ca.cert));
	assert_non_null(strstr(ca.key, "-----BEGIN PRIVATE KEY-----\n"));
}

static void test_a_certificate_carries_all_that_was_asked(void **state)
{
	struct pki_pair pair;
	struct pki_info i, again;
	const struct pki_request q = { .name = "anna",
				       .groups = masters,
				       .addresses = addresses,
				       .server = true,
				       .client = true,
				       .lifetime = 90 * DAY };

	(void)state;
	assert_ok(pki_issue(arena, &ca, &q, &pair));
	assert_ok(pki_read(arena, pair.cert, &i));
	assert_string_equal(i.name, "anna");
	for (size_t k = 0; masters[k]; k++)
		assert_string_equal(i.groups[k], masters[k]);
	assert_null(i.groups[2]);
	for (size_t k = 0; addresses[k]; k++)
		assert_string_equal(i.addresses[k], addresses[k]);
	assert_null(i.addresses[4]);
	assert_true(!i.authority && i.server && i.client);
	assert_ok(pki_check(&pair, ca.cert));
	assert_ok(pki_issue(arena, &ca, &q, &pair));
	assert_ok(pki_read(arena, pair.cert, &again));
	assert_string_not_equal(i.serial, again.serial);
}

/* To the second; a minute for clocks that go late. */
static void test_dates_are_exact(void **state)
{
	static const int64_t rows[] = { DAY, 90 * DAY, (int64_t)NSEC_PER_SEC, 364 * DAY };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		struct pki_pair pair;
		struct pki_info i;
		const struct pki_request q = { .name = "x", .client = true, .lifetime = rows[k] };

		assert_ok(pki_issue(arena, &ca, &q, &pair));
		assert_ok(pki_read(arena, pair.cert, &i));
		assert_int_equal(i.ends - i.begins, rows[k] + 60 * (int64_t)NSEC_PER_SEC);
		assert_true(i.begins >= before - 60 * (int64_t)NSEC_PER_SEC && i.begins < clock_real());
	}
}

static void test_none_outlives_its_authority_and_far_years_are_written_right(void **state)
{
	struct pki_pair old, pair;
	struct pki_info a, i;
	const struct pki_request q = { .name = "x", .server = true, .lifetime = 200 * 365 * DAY };

	(void)state;
	assert_ok(pki_authority(arena, "a", 100 * 365 * DAY, &old)); /* beyond 2050: another ASN.1 type */
	assert_ok(pki_read(arena, old.cert, &a));
	assert_int_equal(a.ends - a.begins, 100 * 365 * DAY + 60 * (int64_t)NSEC_PER_SEC);
	assert_ok(pki_issue(arena, &old, &q, &pair));
	assert_ok(pki_read(arena, pair.cert, &i));
	assert_int_equal(i.ends, a.ends);
}

static void test_names_of_nodes_may_be_long(void **state)
{
	char name[254];
	struct pki_pair pair;
	struct pki_info i;
	const struct pki_request q = { .name = name, .client = true, .lifetime = DAY };

	(void)state;
	memset(name, 'n', 253);
	name[253] = 0;
	assert_ok(pki_issue(arena, &ca, &q, &pair));
	assert_ok(pki_read(arena, pair.cert, &i));
	assert_string_equal(i.name, name);
	assert_ok(pki_check(&pair, ca.cert));
}

static const char *const bad_host[] = { "a b", NULL }, *const bad_dots[] = { "a..b", NULL },
			 *const long_group[] = { "\n", NULL };
static const char *const many[] = { "1",  "2",	"3",  "4",  "5",  "6",	"7",  "8",  "9",
				    "10", "11", "12", "13", "14", "15", "16", "17", NULL };

static void test_wrong_requests_are_refused(void **state)
{
	static const struct {
		struct pki_request q;
		const char *error;
	} rows[] = {
		{ { .name = "", .client = true, .lifetime = DAY },
		  "certificate '': name '': not a text of 1 to 253 bytes" },
		{ { .name = "a\nb", .client = true, .lifetime = DAY },
		  "certificate 'a?b': name 'a?b': not a text of 1 to 253 bytes" },
		{ { .name = "x", .client = true }, "certificate 'x': a certificate lasts a second or more" },
		{ { .name = "x", .lifetime = DAY },
		  "certificate 'x': a certificate is for a server, a client, or both" },
		{ { .name = "x", .server = true, .lifetime = DAY, .addresses = bad_host },
		  "certificate 'x': address 'a b': neither a host name nor an IP address" },
		{ { .name = "x", .server = true, .lifetime = DAY, .addresses = bad_dots },
		  "certificate 'x': address 'a..b': neither a host name nor an IP address" },
		{ { .name = "x", .client = true, .lifetime = DAY, .groups = long_group },
		  "certificate 'x': name '?': not a text of 1 to 253 bytes" },
		{ { .name = "x", .client = true, .lifetime = DAY, .groups = many },
		  "certificate 'x': more than 16 groups" },
	};
	struct pki_pair pair;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err(pki_issue(arena, &ca, &rows[i].q, &pair), rows[i].error);
}

static void test_only_an_authority_with_its_own_key_signs(void **state)
{
	const struct pki_request q = { .name = "x", .client = true, .lifetime = DAY };
	const struct pki_pair mixed = { ca.cert, other.key }, half = { ca.cert, "" };
	struct pki_pair leaf, pair;

	(void)state;
	assert_err(pki_issue(arena, &mixed, &q, &pair), "authority: the key is another certificate's");
	assert_err(pki_issue(arena, &half, &q, &pair), "authority: key: empty");
	assert_ok(pki_issue(arena, &ca, &q, &leaf));
	assert_err(pki_issue(arena, &leaf, &q, &pair), "authority: its certificate may not sign others");
}

static void test_what_does_not_fit_is_found(void **state)
{
	const struct pki_request q = { .name = "x", .client = true, .lifetime = DAY };
	auto_str struct str both = STR_INIT(1 << 16);
	struct pki_pair leaf, brief, short_ca;

	(void)state;
	assert_ok(pki_issue(arena, &ca, &q, &leaf));
	assert_err_code(pki_check(&leaf, other.cert), EKEYREJECTED);
	const struct pki_pair mixed = { leaf.cert, ca.key };
	assert_err(pki_check(&mixed, ca.cert), "key: it is another certificate's");
	str_addf(&both, "%s%s", other.cert, ca.cert);
	assert_ok(pki_check(&leaf, both.data));
	assert_err_code(pki_check(&leaf, "nothing"), EINVAL);

	/* Expired: one second is over soon, and the authority's with it. */
	const struct pki_request second = { .name = "x", .client = true, .lifetime = (int64_t)NSEC_PER_SEC };
	assert_ok(pki_issue(arena, &ca, &second, &brief));
	assert_ok(pki_authority(arena, "a", (int64_t)NSEC_PER_SEC, &short_ca));
	while (clock_real() < before + 60 * (int64_t)NSEC_PER_SEC) {
		struct pki_info i;
		assert_ok(pki_read(arena, short_ca.cert, &i));
		if (clock_real() > i.ends + (int64_t)NSEC_PER_SEC)
			break;
		usleep(50000);
	}
	assert_err(pki_check(&brief, ca.cert), "certificate: certificate has expired");
	assert_err_code(pki_issue(arena, &short_ca, &q, &leaf), EKEYEXPIRED);
}

static void test_anything_else_is_no_certificate(void **state)
{
	auto_str struct str large = STR_INIT(1 << 20);
	struct pki_info i;

	(void)state;
	assert_err(pki_read(arena, "", &i), "certificate: empty");
	assert_err(pki_read(arena, "hello", &i), "certificate: no start line");
	assert_err_code(pki_read(arena, ca.key, &i), EINVAL);
	assert_err_code(pki_read(arena, "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", &i),
			EINVAL);
	for (int k = 0; k < 65537; k++)
		str_add_char(&large, ' ');
	assert_err(pki_read(arena, large.data, &i), "certificate: over 65536 bytes");
}

/* ---- openssl(1) agrees ---- */

static int run(const char *dir, const char *const *argv, struct str *out)
{
	int fds[2], status;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (!pid) {
		if (chdir(dir) < 0 || dup2(fds[1], 1) < 0 || dup2(fds[1], 2) < 0)
			_exit(126);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	assert_ok(fd_read_all(fds[0], out));
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void put(int dir, const char *name, const char *text)
{
	assert_ok(file_replace_volatile(dir, name, text, strlen(text), 0600));
}

static void test_openssl_accepts_and_reads_it(void **state)
{
	static const char *const verify[] = { "openssl", "verify", "-x509_strict", "-purpose", "sslclient",
					      "-CAfile", "ca",	   "leaf",	   NULL };
	static const char *const as_server[] = { "openssl", "verify", "-purpose", "sslserver",
						 "-CAfile", "ca",     "leaf",	  NULL };
	static const char *const show[] = { "openssl", "x509", "-noout", "-text", "-in", "leaf", NULL };
	static const char *const lines[] = {
		"ASN1 OID: prime256v1",
		"ecdsa-with-SHA256",
		"CA:FALSE",
		"Digital Signature",
		"TLS Web Client Authentication",
		"O = system:nodes, CN = system:node:n1",
		"X509v3 Authority Key Identifier",
		"DNS:localhost",
		"IP Address:127.0.0.1",
	};
	static const char *const nodes[] = { "system:nodes", NULL };
	const struct pki_request q = { .name = "system:node:n1",
				       .groups = nodes,
				       .addresses = addresses,
				       .client = true,
				       .lifetime = DAY };
	char dir[] = "/tmp/stube-pki-XXXXXX";
	auto_str struct str out = STR_INIT(1 << 16);
	struct pki_pair leaf;

	(void)state;
	assert_non_null(mkdtemp(dir));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(pki_issue(arena, &ca, &q, &leaf));
	put(fd, "ca", ca.cert);
	put(fd, "leaf", leaf.cert);
	int good = run(dir, verify, &out), bad = run(dir, as_server, &out);
	str_clear(&out);
	int shown = run(dir, show, &out);
	unlinkat(fd, "ca", 0);
	unlinkat(fd, "leaf", 0);
	close(fd);
	rmdir(dir);
	assert_int_equal(good, 0);
	assert_int_not_equal(bad, 0);
	assert_int_equal(shown, 0);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(out.data, lines[i]))
			fail_msg("no '%s' in:\n%s", lines[i], out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_authority_says_what_it_is),
		cmocka_unit_test(test_a_certificate_carries_all_that_was_asked),
		cmocka_unit_test(test_dates_are_exact),
		cmocka_unit_test(test_none_outlives_its_authority_and_far_years_are_written_right),
		cmocka_unit_test(test_names_of_nodes_may_be_long),
		cmocka_unit_test(test_wrong_requests_are_refused),
		cmocka_unit_test(test_only_an_authority_with_its_own_key_signs),
		cmocka_unit_test(test_what_does_not_fit_is_found),
		cmocka_unit_test(test_anything_else_is_no_certificate),
		cmocka_unit_test(test_openssl_accepts_and_reads_it),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
