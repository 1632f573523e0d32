/* tests/unit/api/api.h: what tests of objects share: an arena for each test, JSON with single quotes. */
#pragma once
#include "tests/unit/unit.h"

#include <fcntl.h>

#include "api/kinds.h"
#include "base/file.h"

static struct arena *arena;

static inline UNUSED int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(64 << 20, &arena));
	return 0;
}

static inline UNUSED int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Rows stay readable when they need no backslashes. */
static inline UNUSED const char *quoted(const char *text)
{
	char *copy = arena_strdup(arena, text);

	assert_non_null(copy);
	for (char *p = copy; (p = strchr(p, '\''));)
		*p = '"';
	return copy;
}

static inline UNUSED err *decode(const char *text, unsigned flags, struct object **ret)
{
	const char *document = quoted(text);

	return object_decode(arena, "web.json", document, strlen(document), NULL, flags, ret);
}

static inline UNUSED const struct object *decoded(const char *text)
{
	struct object *object = NULL;

	assert_ok(decode(text, 0, &object));
	return object;
}

static inline UNUSED const struct object *decoded_file(const char *path)
{
	auto_str struct str text = STR_INIT(1 << 20);
	struct object *object = NULL;

	assert_ok(file_read(AT_FDCWD, path, &text));
	assert_ok(object_decode(arena, path, text.data, text.len, NULL, 0, &object));
	return object;
}

/* "web.json:LINE:COLUMN: " and this text; an empty one: it is accepted. */
static inline UNUSED void assert_refused(err *e, const char *expected)
{
	auto_str struct str text = STR_INIT(4096);

	if (!*expected) {
		assert_ok(e);
		return;
	}
	if (!e)
		print_error("no error, expected: %s\n", expected);
	assert_non_null(e);
	err_format(e, &text);
	err_free(e);
	assert_true(str_starts_with(text.data, "web.json:1:"));
	const char *rest = strstr(text.data, ": ");
	assert_non_null(rest);
	assert_string_equal(rest + 2, expected);
}
