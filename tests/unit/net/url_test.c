/* tests/unit/net/url_test.c: URLs, origins, addresses and proxies: what the gate of the HTTP client stands on. */
#include "tests/unit/unit.h"

#include "net/http-internal.h"

static void test_urls_are_taken_apart_or_refused_with_the_reason(void **state)
{
	(void)state;
	static const struct {
		const char *text, *origin, *normal, *reason;
	} rows[] = {
		{ "https://Registry.Example:443/v2/", "https://registry.example", "https://Registry.Example:443/v2/", NULL },
		{ "http://localhost:5000/v2/?a=b#frag", "http://localhost:5000", "http://localhost:5000/v2/?a=b", NULL },
		{ "http://127.1/", "http://127.0.0.1", "http://127.0.0.1/", NULL },
		{ "http://0x7f000001:80/", "http://127.0.0.1", "http://127.0.0.1:80/", NULL },
		{ "https://[::1]:5000/x", "https://[::1]:5000", "https://[::1]:5000/x", NULL },
		{ "https://user:word@host/", NULL, NULL, "has a user name in it" },
		{ "https://good.example@evil.example/", NULL, NULL, "has a user name in it" },
		{ "ftp://host/", NULL, NULL, "is neither http nor https" },
		{ "file:///etc/passwd", NULL, NULL, "is neither http nor https" },
		{ "host/path", NULL, NULL, "is not absolute" },
		{ "", NULL, NULL, "is empty" },
		{ "http://", NULL, NULL, "" },
		{ "http:///v2/", NULL, NULL, "has no host" },
		{ "http://ho st/", NULL, NULL, "has a space" },
		{ "http://host\\@evil/", NULL, NULL, "a backslash" },
		{ "http://host/\r\nX: y", NULL, NULL, "has a space" },
		{ "http://h\xc3\xb6st/", NULL, NULL, "not ASCII" },
		{ "http://%68ost/", "http://host", "http://host/", NULL },
		{ "http://ho%2fst/", NULL, NULL, "" },
		{ "http://host:0/", NULL, NULL, "" },
		{ "http://host:65536/", NULL, NULL, "" },
		{ "http://host:80a/", NULL, NULL, "" },
		{ "http://[fe80::1%25eth0]/", NULL, NULL, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_url struct url u = { 0 };
		auto_err err *e = url_parse(rows[i].text, &u);
		char text[ORIGIN_TEXT_MAX];
		if (rows[i].origin) {
			if (e)
				fail_msg("%s: %s", rows[i].text, e->message);
			assert_string_equal(origin_text(&u.origin, text), rows[i].origin);
			continue;
		}
		auto_str struct str said = STR_INIT(4096);
		if (!e)
			fail_msg("'%s' was accepted as %s", rows[i].text, u.text);
		err_format(e, &said);
		if (!strstr(said.data, rows[i].reason))
			fail_msg("'%s': got '%s'", rows[i].text, said.data);
	}
}

static void test_references_are_resolved_against_the_base(void **state)
{
	(void)state;
	static const struct {
		const char *reference, *result; /* NULL: refused */
	} rows[] = {
		{ "/v2/b?x=1", "https://h:5000/v2/b?x=1" },
		{ "c", "https://h:5000/v2/a/c" },
		{ "?n=2", "https://h:5000/v2/a/b?n=2" },
		{ "../../../../up", "https://h:5000/up" },
		{ "//other/x", "https://other/x" },
		{ "http://other/x", "http://other/x" },
		{ "javascript:alert(1)", NULL },
		{ "https://u@h/", NULL },
		{ "", NULL },
	};
	auto_url struct url base = { 0 };
	assert_null(url_parse("https://h:5000/v2/a/b?q=1", &base));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_url struct url u = { 0 };
		auto_err err *e = url_resolve(&base, rows[i].reference, &u);
		if (rows[i].result) {
			assert_null(e);
			assert_string_equal(u.text, rows[i].result);
		} else if (!e) {
			fail_msg("'%s' was accepted as %s", rows[i].reference, u.text);
		}
	}
}

static void test_messages_show_no_secret_of_a_url(void **state)
{
	(void)state;
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{ "https://h/v2/a/blobs/uploads/1?_state=SECRET&digest=sha256:00", "https://h/v2/a/blobs/uploads/1?_state=...&digest=sha256:00" },
		{ "https://h/x?X-Amz-Signature=SECRET", "https://h/x?X-Amz-Signature=..." },
		{ "https://name:SECRET@h/x", "https://...@h/x" },
		{ "https://h/t?service=r&scope=repository:a:pull", "https://h/t?service=r&scope=repository:a:pull" },
		{ "https://h/x?flag&a=b", "https://h/x?flag&a=..." },
		{ "https://h/x#SECRET", "https://h/x" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str out = STR_INIT(4096);
		url_public(rows[i].url, &out);
		assert_string_equal(out.data, rows[i].shown);
	}
}

static void test_addresses_have_the_reach_that_the_kernel_gives_them(void **state)
{
	(void)state;
	static const struct {
		const char *host;
		enum reach reach;
	} rows[] = {
		{ "8.8.8.8", REACH_PUBLIC }, { "2a00:1450::1", REACH_PUBLIC },
		{ "10.1.2.3", REACH_PRIVATE }, { "172.16.0.1", REACH_PRIVATE }, { "172.32.0.1", REACH_PUBLIC },
		{ "192.168.9.9", REACH_PRIVATE }, { "100.100.100.200", REACH_PRIVATE }, { "fd00::1", REACH_PRIVATE },
		{ "127.0.0.1", REACH_LOOPBACK }, { "127.9.9.9", REACH_LOOPBACK }, { "0.0.0.0", REACH_LOOPBACK },
		{ "::1", REACH_LOOPBACK }, { "::", REACH_LOOPBACK }, { "::ffff:127.0.0.1", REACH_LOOPBACK },
		{ "::ffff:169.254.169.254", REACH_LINK_LOCAL }, { "64:ff9b::a9fe:a9fe", REACH_LINK_LOCAL },
		{ "2002:7f00:1::", REACH_LOOPBACK }, { "169.254.169.254", REACH_LINK_LOCAL }, { "fe80::1", REACH_LINK_LOCAL },
		{ "224.0.0.1", REACH_NOWHERE }, { "255.255.255.255", REACH_NOWHERE }, { "ff02::1", REACH_NOWHERE },
		{ "localhost", REACH_LOOPBACK }, { "a.localhost", REACH_LOOPBACK }, { "LOCALHOST.", REACH_LOOPBACK },
		{ "notlocalhost", REACH_UNKNOWN }, { "registry.example", REACH_UNKNOWN },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (host_reach(rows[i].host) != rows[i].reach)
			fail_msg("%s is %s", rows[i].host, reach_name(host_reach(rows[i].host)));
}

static void test_a_server_leads_only_to_its_like_or_to_the_internet(void **state)
{
	(void)state;
	static const char *const allowed[] = {
		/* to: unknown public private loopback link-local reserved */
		[REACH_UNKNOWN] = "yynnnn",  [REACH_PUBLIC] = "yynnnn",     [REACH_PRIVATE] = "yyynnn",
		[REACH_LOOPBACK] = "yyyynn", [REACH_LINK_LOCAL] = "yynnyn", [REACH_NOWHERE] = "yynnnn",
	};
	for (enum reach from = REACH_UNKNOWN; from <= REACH_NOWHERE; from++)
		for (enum reach to = REACH_UNKNOWN; to <= REACH_NOWHERE; to++)
			if (reach_allows(from, to) != (allowed[from][to] == 'y'))
				fail_msg("%s to %s", reach_name(from), reach_name(to));
}

static void test_proxies_come_from_the_environment_as_curl_reads_it(void **state)
{
	(void)state;
	static const struct {
		const char *variable, *value, *no_proxy, *url, *proxy;
	} rows[] = {
		{ "https_proxy", "http://p:3128", NULL, "https://h/", "http://p:3128" },
		{ "HTTPS_PROXY", "http://p:3128", NULL, "https://h/", "http://p:3128" },
		{ "https_proxy", "http://p:3128", NULL, "http://h/", "" },
		{ "http_proxy", "http://p:3128", NULL, "http://h/", "http://p:3128" },
		{ "HTTP_PROXY", "http://p:3128", NULL, "http://h/", "" },
		{ "ALL_PROXY", "http://p:3128", NULL, "https://h/", "http://p:3128" },
		{ "https_proxy", "http://p:3128", "*", "https://h/", "" },
		{ "https_proxy", "http://p:3128", "a, example.org", "https://x.example.org/", "" },
		{ "https_proxy", "http://p:3128", ".example.org", "https://example.org/", "" },
		{ "https_proxy", "http://p:3128", "example.org", "https://notexample.org/", "http://p:3128" },
		{ "https_proxy", "http://p:3128", "10.0.0.0/8", "https://10.9.8.7/", "" },
		{ "https_proxy", "http://p:3128", "10.0.0.0/9", "https://10.200.8.7/", "http://p:3128" },
		{ "https_proxy", "http://p:3128", "[::1],fd00::/8", "https://[::1]/", "" },
		{ "https_proxy", "http://p:3128", "fd00::/8", "https://[fd12::1]/", "" },
	};
	static const char *const all[] = { "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY",
					   "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t j = 0; j < ARRAY_LEN(all); j++)
			unsetenv(all[j]);
		setenv(rows[i].variable, rows[i].value, 1);
		if (rows[i].no_proxy)
			setenv("no_proxy", rows[i].no_proxy, 1);
		auto_url struct url u = { 0 };
		auto_str struct str out = STR_INIT(1000);
		assert_null(url_parse(rows[i].url, &u));
		proxy_for(&u.origin, &out);
		if (!str_equal(out.data, rows[i].proxy))
			fail_msg("row %zu: '%s'", i, out.data);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls_are_taken_apart_or_refused_with_the_reason),
		cmocka_unit_test(test_references_are_resolved_against_the_base),
		cmocka_unit_test(test_messages_show_no_secret_of_a_url),
		cmocka_unit_test(test_addresses_have_the_reach_that_the_kernel_gives_them),
		cmocka_unit_test(test_a_server_leads_only_to_its_like_or_to_the_internet),
		cmocka_unit_test(test_proxies_come_from_the_environment_as_curl_reads_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
