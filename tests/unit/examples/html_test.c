/* tests/unit/examples/html_test.c: nothing that a person typed becomes markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "examples/html.h"

static void test_values_are_escaped(void **state UNUSED)
{
	static const struct {
		const char *value, *html;
	} rows[] = {
		{ "plain", "plain" },
		{ "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;" },
		{ "\" onfocus=\"x", "&quot; onfocus=&quot;x" },
		{ "' onfocus='x", "&#39; onfocus=&#39;x" },
		{ "&lt;", "&amp;lt;" },
		{ "Müller & Söhne", "Müller &amp; Söhne" },
		{ "", "" },
		{ NULL, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str out = STR_INIT(256);

		html_text(&out, rows[i].value);
		assert_string_equal(out.data, rows[i].html);
	}
}

static void test_the_printer_escapes_values_and_keeps_markup(void **state UNUSED)
{
	auto_str struct str out = STR_INIT(256);

	html_add(&out, "<a href=\"%s\" style=\"width:100%%\">%s</a> %d", "/x?a=\"1\"&b", "<b>", 3);
	assert_string_equal(out.data,
			    "<a href=\"/x?a=&quot;1&quot;&amp;b\" style=\"width:100%\">&lt;b&gt;</a> 3");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(test_the_printer_escapes_values_and_keeps_markup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
