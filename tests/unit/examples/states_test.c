/* tests/unit/examples/states_test.c: every step from every state by everybody, against the table in the docs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "examples/states.h"
#include "examples/token.h"

/* As docs/examples.md has it; "+" asks for a note. */
static const char golden[] = "eingegangen in_pruefung clerk\n"
			     "in_pruefung rueckfrage clerk+\n"
			     "in_pruefung bewilligt clerk\n"
			     "in_pruefung abgelehnt clerk+\n"
			     "rueckfrage in_pruefung citizen+\n"
			     "rueckfrage in_pruefung clerk\n";

static void test_the_steps_are_those_of_the_table_and_no_others(void **state UNUSED)
{
	auto_str struct str got = STR_INIT(4096);

	for (int from = 0; from < STATE_COUNT; from++)
		for (int to = 0; to < STATE_COUNT; to++)
			for (int role = ROLE_CITIZEN; role <= ROLE_CLERK; role++) {
				const struct transition *t = transition_find(from, to, role);

				if (t)
					str_addf(&got, "%s %s %s%s\n", enum_name(state_names, from),
						 enum_name(state_names, to), enum_name(role_names, role),
						 t->with_note ? "+" : "");
			}
	assert_string_equal(got.data, golden);
}

static void test_a_decision_is_final(void **state UNUSED)
{
	for (int s = 0; s < STATE_COUNT; s++)
		assert_int_equal(state_is_final(s), s == STATE_GRANTED || s == STATE_REFUSED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_steps_are_those_of_the_table_and_no_others),
		cmocka_unit_test(test_a_decision_is_final),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
