/* tests/unit/runtime/idmap_test.c: id mappings. */
#include "tests/unit/unit.h"

#include "runtime/idmap.h"

#define MAPS(...)                                                                                  \
	{ (struct oci_id_mapping[]){ __VA_ARGS__ },                                                \
	  sizeof((struct oci_id_mapping[]){ __VA_ARGS__ }) / sizeof(struct oci_id_mapping) }

static void test_overlaps_and_overflows_are_refused(void **state)
{
	const struct {
		const char *words; /* NULL: fine */
		struct oci_id_mappings maps;
	} rows[] = {
		{ NULL, MAPS({ 0, 1000, 1 }) },
		{ NULL, MAPS({ 0, 1000, 1 }, { 1, 100000, 65535 }) },
		{ "overlaps entry 0", MAPS({ 0, 1000, 10 }, { 9, 5000, 1 }) },
		{ "overlaps entry 0", MAPS({ 0, 1000, 10 }, { 10, 1009, 1 }) },
		{ "does not fit", MAPS({ 0, 4294967290u, 10 }) },
		{ "does not fit", MAPS({ 4294967290u, 0, 10 }) },
		{ "does not fit", MAPS({ 0, 0, 0 }) },
		{ "empty", { NULL, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str text = STR_INIT(1024);
		auto_err err *e = idmap_check("linux.uidMappings", &rows[i].maps);

		if (!rows[i].words) {
			assert_null(e);
			continue;
		}
		assert_non_null(e);
		err_format(e, &text);
		assert_non_null(strstr(text.data, rows[i].words));
		assert_true(str_starts_with(text.data, "linux.uidMappings"));
	}
}

static void test_the_file_has_one_line_a_range(void **state)
{
	const struct oci_id_mappings maps = MAPS({ 0, 1000, 1 }, { 1, 100000, 65535 });
	auto_str struct str text = STR_INIT(1024);

	(void)state;
	idmap_text(&maps, &text);
	assert_string_equal(text.data, "0 1000 1\n1 100000 65535\n");
}

static void test_ids_are_looked_up_on_both_sides(void **state)
{
	const struct oci_id_mappings maps = MAPS({ 0, 1000, 1 }, { 5, 100000, 10 });
	uint32_t id = 77;

	(void)state;
	assert_true(idmap_to_container(&maps, 100009, &id));
	assert_int_equal(id, 14);
	assert_false(idmap_to_container(&maps, 100010, &id));
	assert_false(idmap_to_container(&maps, 999, &id));
	assert_true(idmap_has_container_id(&maps, 0));
	assert_false(idmap_has_container_id(&maps, 1));
	assert_true(idmap_has_container_id(&maps, 14));
	assert_false(idmap_has_container_id(&maps, 15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlaps_and_overflows_are_refused),
		cmocka_unit_test(test_the_file_has_one_line_a_range),
		cmocka_unit_test(test_ids_are_looked_up_on_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
