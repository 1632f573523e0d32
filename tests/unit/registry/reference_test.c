/* tests/unit/registry/reference_test.c: image names, as rows. */
#include "tests/unit/unit.h"

#include "registry/reference.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A255 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_names_are_completed_to_one_canonical_text(void **state)
{
	(void)state;
	static const struct {
		const char *text, *default_host, *canonical, *server;
	} rows[] = {
		{ "registry.example.org/portal", NULL, "registry.example.org/portal:latest", "registry.example.org" },
		{ "registry.example.org:5000/amt/portal:1.2", NULL, "registry.example.org:5000/amt/portal:1.2", "registry.example.org:5000" },
		{ "Registry.Example.ORG/a", NULL, "registry.example.org/a:latest", "registry.example.org" },
		{ "localhost/a", NULL, "localhost/a:latest", "localhost" },
		{ "localhost:5000/a:b", NULL, "localhost:5000/a:b", "localhost:5000" },
		{ "127.0.0.1:5000/a", NULL, "127.0.0.1:5000/a:latest", "127.0.0.1:5000" },
		{ "[::1]:5000/a", NULL, "[::1]:5000/a:latest", "[::1]:5000" },
		{ "[FD00::1]/a", NULL, "[fd00::1]/a:latest", "[fd00::1]" },
		{ "h.x/a@sha256:" HEX, NULL, "h.x/a@sha256:" HEX, "h.x" },
		{ "h.x/a:t@sha256:" HEX, NULL, "h.x/a:t@sha256:" HEX, "h.x" },
		{ "h.x/a@sha512:" HEX HEX, NULL, "h.x/a@sha512:" HEX HEX, "h.x" },
		{ "h.x/a__b/c-d/e---f/g_h/i.j", NULL, "h.x/a__b/c-d/e---f/g_h/i.j:latest", "h.x" },
		{ "h.x/a:_A.-9", NULL, "h.x/a:_A.-9", "h.x" },
		{ "docker.io/nginx", NULL, "docker.io/library/nginx:latest", "registry-1.docker.io" },
		{ "docker.io/grafana/loki:3", NULL, "docker.io/grafana/loki:3", "registry-1.docker.io" },
		{ "index.docker.io/nginx", NULL, "docker.io/library/nginx:latest", "registry-1.docker.io" },
		{ "nginx", "docker.io", "docker.io/library/nginx:latest", "registry-1.docker.io" },
		{ "portal:1", "h.x:5000", "h.x:5000/portal:1", "h.x:5000" },
		{ "amt/portal", "h.x", "h.x/amt/portal:latest", "h.x" },
		{ "localhost:5000", "h.x", "h.x/localhost:5000", "h.x" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reference r, again;
		char text[REFERENCE_TEXT_MAX];
		assert_ok(reference_parse(rows[i].text, rows[i].default_host, &r));
		assert_string_equal(reference_text(&r, text), rows[i].canonical);
		assert_string_equal(reference_server(&r), rows[i].server);
		assert_ok(reference_parse(text, NULL, &again));
		assert_memory_equal(&r, &again, sizeof(r));
	}
}

static void test_names_that_mean_nothing_are_refused_with_the_part_that_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{ "", "image name '': is empty" },
		{ "portal", "image name 'portal': does not begin with a registry" },
		{ "amt/portal:1", "image name 'amt/portal:1': does not begin with a registry" },
		{ "localhost:5000", "image name 'localhost:5000': does not begin with a registry" },
		{ "h.x/", "image name 'h.x/': '' is not a path of lower-case letters and digits with single '.', '_', '__' or '-' between them" },
		{ "h.x/A", "image name 'h.x/A': 'A' is not a path of lower-case letters and digits with single '.', '_', '__' or '-' between them" },
		{ "h.x/a:", "image name 'h.x/a:': '' is not a tag" },
		{ "h.x/a:-b", "image name 'h.x/a:-b': '-b' is not a tag" },
		{ "h.x/a:b c", "image name 'h.x/a:b c': 'b c' is not a tag" },
		{ "h.x/a:b/c", "image name 'h.x/a:b/c': 'b/c' is not a tag" },
		{ "h.x/a@sha256:AB", "image name 'h.x/a@sha256:AB': digest 'sha256:AB': must have 64 lower-case hexadecimal digits" },
		{ "h.x:0/a", "image name 'h.x:0/a': 'h.x:0' is not a host or HOST:PORT" },
		{ "h.x:70000/a", "image name 'h.x:70000/a': 'h.x:70000' is not a host or HOST:PORT" },
		{ "h.x:+5/a", "image name 'h.x:+5/a': 'h.x:+5' is not a host or HOST:PORT" },
		{ "-h.x/a", "image name '-h.x/a': '-h.x' is not a host or HOST:PORT" },
		{ "h..x/a", "image name 'h..x/a': 'h..x' is not a host or HOST:PORT" },
		{ "h-.x/a", "image name 'h-.x/a': 'h-.x' is not a host or HOST:PORT" },
		{ ".x/a", "image name '.x/a': '.x' is not a host or HOST:PORT" },
		{ "[::1/a", "image name '[::1/a': '[::1' is not a host or HOST:PORT" },
		{ "[::g]/a", "image name '[::g]/a': '[::g]' is not a host or HOST:PORT" },
		{ "user@h.x/a", "image name 'user@h.x/a': does not begin with a registry" },
		{ "UPPER/a", "image name 'UPPER/a': does not begin with a registry" },
		{ "https://h.x/a", "image name 'https://h.x/a': 'https:' is not a host or HOST:PORT" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reference r;
		assert_err(reference_parse(rows[i].text, NULL, &r), rows[i].reason);
	}
	static const char *const paths[] = { "h.x//a", "h.x/a//b", "h.x/a/", "h.x/../a", "h.x/a..b", "h.x/a___b", "h.x/_a", "h.x/a_",
					     "h.x/a._b", "h.x/a?b", "h.x/a%2fb", "h.x/a b", "h.x/a\nb", "h.x/\xc3\xa4", "h.x/a#b" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct reference r;
		assert_err_code(reference_parse(paths[i], NULL, &r), EINVAL);
	}
}

static void test_every_part_has_a_ceiling(void **state)
{
	(void)state;
	struct reference r;
	assert_ok(reference_parse("h.x/" A255, NULL, &r));
	assert_err_code(reference_parse("h.x/a" A255, NULL, &r), EINVAL);
	assert_err_code(reference_parse("docker.io/" A255, NULL, &r), EINVAL); /* with library/ too long */
	assert_err_code(reference_parse("h.x/a:" A255, NULL, &r), EINVAL);
	assert_err_code(reference_parse(A255 "a.x/a", NULL, &r), EINVAL);
	assert_err_code(reference_parse("h.x/" A255 A255 A255 A255 A255, NULL, &r), EINVAL);
}

static void test_the_digest_counts_when_tag_and_digest_are_there(void **state)
{
	(void)state;
	struct reference r;
	char object[DIGEST_TEXT_MAX];
	assert_ok(reference_parse("h.x/a:t@sha256:" HEX, NULL, &r));
	assert_string_equal(reference_object(&r, object), "sha256:" HEX);
	assert_ok(reference_parse("h.x/a:t", NULL, &r));
	assert_string_equal(reference_object(&r, object), "t");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_completed_to_one_canonical_text),
		cmocka_unit_test(test_names_that_mean_nothing_are_refused_with_the_part_that_is_wrong),
		cmocka_unit_test(test_every_part_has_a_ceiling),
		cmocka_unit_test(test_the_digest_counts_when_tag_and_digest_are_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
