/* tests/unit/agent/decide_test.c: what is done next for a Pod, and its status, against docs/agent-states.txt.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/decide.h"
#include "base/clock.h"
#include "base/file.h"

#define SEC   ((int64_t)NSEC_PER_SEC)
#define NOW   (1000 * SEC)
#define GRACE (30 * SEC)

static const char *const restarts[] = {
	[POD_RESTART_ALWAYS] = "Always", [POD_RESTART_ON_FAILURE] = "OnFailure", [POD_RESTART_NEVER] = "Never"
};
static const char *const states[] = { "none", "running", "ended" };
static const char *const images[] = { "unknown", "pulling", "ready" };
static const char *const contacts[] = { "free", "alone", "fenced" };
static const char *const losses[] = { "replace", "keep", "stop" };

/* A Pod of one container, all well. */
struct fixture {
	struct pod_container spec;
	struct pod pod;
	struct decide_container c;
	struct decide_input in;
};

static void fixture(struct fixture *f)
{
	*f = (struct fixture){
		.spec = { .name = "main", .image = "x" },
		.pod = { .metadata = { .name = "p" }, .spec = { .restart = POD_RESTART_ALWAYS } },
		.c = { .state = DECIDE_RUNNING, .image = DECIDE_IMAGE_READY, .attempt = 1, .started = 5 },
		.in = { .confirmed = true,
			.contact = PODS_FREE,
			.sandbox = DECIDE_RUNNING,
			.grace = GRACE,
			.backoff_first = 10 * SEC,
			.backoff_max = 300 * SEC,
			.now = NOW },
	};
	f->pod.spec.containers.items = &f->spec;
	f->pod.spec.containers.count = 1;
	f->in.pod = &f->pod;
	f->in.containers = &f->c;
}

static void end_with(struct fixture *f, uint32_t code, bool known)
{
	f->c.state = DECIDE_ENDED;
	f->c.ended_at = NOW - SEC;
	f->c.end = (struct decide_end){
		.there = true, .code = code, .known = known, .started = 5, .finished = 6
	};
}

/* "goal, of the Pod, of the container, wake in seconds | phase and word" */
static void add_result(struct str *out, struct fixture *f)
{
	auto_arena struct arena *arena = NULL;
	enum decide_do containers[1];
	struct decision d;

	assert_ok(arena_new(1 << 20, &arena));
	decide(&f->in, containers, &d);
	assert_ok(decide_status(arena, &f->in, &d, NULL, 7 * SEC, &f->pod.status));
	str_addf(out, "%-6s  %-12s  %-5s  ", enum_name(decide_goal_names, (int)d.goal),
		 enum_name(decide_do_names, (int)d.pod), enum_name(decide_do_names, (int)containers[0]));
	if (d.wake)
		str_addf(out, "%-4lld", (long long)((d.wake - NOW) / SEC));
	else
		str_add(out, "-   ");
	str_addf(out, "  %s\n", pod_status_word(&f->pod));
	f->pod.status = (struct pod_status){ 0 };
}

/* What the node may do while it is out of reach. */
static void goals(struct str *out)
{
	str_add(out, "# may it run: contact, on loss, rebooted, told by the API, lease\n"
		     "#                                              goal    of Pod        of container  "
		     "wake  status\n");
	for (int contact = 0; contact < 3; contact++)
		for (int loss = 0; loss < 3; loss++)
			for (int bits = 0; bits < 8; bits++) {
				struct fixture f;
				bool rebooted = bits & 1, confirmed = bits & 2, in_time = bits & 4;
				fixture(&f);
				f.in.contact = (enum pods_contact)contact;
				f.in.loss = (enum decide_loss)loss;
				f.in.rebooted = rebooted;
				f.in.confirmed = confirmed;
				f.in.lease_end = in_time ? NOW + 40 * SEC : NOW - SEC;
				if (rebooted) {
					f.in.sandbox = DECIDE_ENDED;
					end_with(&f, 255, false);
				}
				str_addf(out, "%-6s  %-7s  %-8s  %-8s  %-7s  ", contacts[contact],
					 losses[loss], rebooted ? "rebooted" : "-", confirmed ? "told" : "-",
					 in_time ? "in-time" : "over");
				add_result(out, &f);
			}
}

static const struct {
	const char *name;
	enum decide_state state;
	uint32_t code;
	bool known, interrupted;
} ends[] = {
	{ "none", DECIDE_NONE, 0, false, false },      { "running", DECIDE_RUNNING, 0, false, false },
	{ "good", DECIDE_ENDED, 0, true, false },      { "failed", DECIDE_ENDED, 3, true, false },
	{ "unseen", DECIDE_ENDED, 255, false, false }, { "ended by us", DECIDE_ENDED, 0, true, true },
};

static void set_container(struct fixture *f, size_t end)
{
	f->c.attempt = ends[end].state != DECIDE_NONE;
	if (ends[end].state == DECIDE_ENDED)
		end_with(f, ends[end].code, ends[end].known);
	f->c.state = ends[end].state;
	f->c.interrupted = ends[end].interrupted;
}

static void actions(struct str *out)
{
	str_add(out, "\n# what is next: restart policy, sandbox, container, its image, ends in a row\n"
		     "#                                                    goal    of Pod        of "
		     "container  wake  status\n");
	for (int policy = POD_RESTART_ALWAYS; policy <= POD_RESTART_NEVER; policy++)
		for (int sandbox = 0; sandbox < 3; sandbox++)
			for (size_t end = 0; end < ARRAY_LEN(ends); end++)
				for (int image = 0; image < 3; image++)
					for (uint32_t crashes = 0; crashes < 3; crashes += 2) {
						struct fixture f;
						bool ended = ends[end].state == DECIDE_ENDED;
						/* Cases that cannot be, or say nothing new. */
						if ((crashes && (!ended || image != DECIDE_IMAGE_READY)) ||
						    (ends[end].state == DECIDE_RUNNING &&
						     image != DECIDE_IMAGE_READY))
							continue;
						fixture(&f);
						f.pod.spec.restart = policy;
						f.in.sandbox = (enum decide_state)sandbox;
						f.c.image = (enum decide_image)image;
						f.c.crashes = crashes;
						set_container(&f, end);
						str_addf(out, "%-9s  %-7s  %-11s  %-7s  %u  ",
							 restarts[policy], states[sandbox], ends[end].name,
							 images[image], crashes);
						add_result(out, &f);
					}
}

static void endings(struct str *out)
{
	static const struct {
		const char *name;
		int64_t term_at;
		bool killed;
	} asked[] = { { "not asked", 0, false },
		      { "asked", NOW - SEC, false },
		      { "grace over", NOW - GRACE, false },
		      { "killed", NOW - GRACE, true } };

	str_add(out, "\n# how it ends: why, sandbox, container, asked\n"
		     "#                                          goal    of Pod        of container  wake  "
		     "status\n");
	for (int fenced = 0; fenced < 2; fenced++)
		for (int sandbox = 0; sandbox < 3; sandbox++)
			for (int state = 0; state < 3; state++)
				for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
					struct fixture f;
					if (state != DECIDE_RUNNING && i > 0)
						continue;
					fixture(&f);
					f.in.deleted = !fenced;
					f.in.contact = fenced ? PODS_FENCED : PODS_FREE;
					f.in.sandbox = (enum decide_state)sandbox;
					if (state == DECIDE_ENDED)
						end_with(&f, 0, true);
					f.c.state = (enum decide_state)state;
					f.c.term_at = asked[i].term_at;
					f.c.killed = asked[i].killed;
					f.pod.metadata.deletion.nsec = !fenced;
					str_addf(out, "%-7s  %-7s  %-7s  %-12s  ",
						 fenced ? "fenced" : "deleted", states[sandbox],
						 states[state], asked[i].name);
					add_result(out, &f);
				}
}

static void test_every_case_that_matters_is_decided_as_the_golden_table_says(void **state)
{
	(void)state;
	auto_str struct str actual = STR_INIT(1 << 20), golden = STR_INIT(1 << 20);

	goals(&actual);
	actions(&actual);
	endings(&actual);
	assert_ok(str_check(&actual));
	if (getenv("UPDATE"))
		assert_ok(file_replace_volatile(AT_FDCWD, "docs/agent-states.txt", actual.data, actual.len,
						0644));
	assert_ok(file_read(AT_FDCWD, "docs/agent-states.txt", &golden));
	assert_string_equal(actual.data, golden.data);
}

static void test_pauses_grow_from_nothing_to_the_ceiling(void **state)
{
	(void)state;
	static const struct {
		uint32_t crashes;
		int64_t seconds;
	} rows[] = {
		{ 0, 0 }, { 1, 10 }, { 2, 20 }, { 3, 40 }, { 5, 160 }, { 6, 300 }, { 4000000000u, 300 }
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(decide_backoff(rows[i].crashes, 10 * SEC, 300 * SEC) / SEC, rows[i].seconds);
}

static void test_a_container_whose_sandbox_died_ends_before_a_new_one_is_made(void **state)
{
	(void)state;
	struct fixture f;
	enum decide_do containers[1];
	struct decision d;

	fixture(&f);
	f.in.sandbox = DECIDE_ENDED;
	decide(&f.in, containers, &d);
	assert_int_equal(containers[0], DO_TERM);
	assert_int_equal(d.pod, DO_NOTHING);
	assert_true(d.interrupt);
	f.c.state = DECIDE_ENDED;
	f.c.interrupted = true;
	f.c.ended_at = NOW;
	f.c.crashes = 5;
	decide(&f.in, containers, &d);
	assert_int_equal(d.pod, DO_SANDBOX);
	f.in.sandbox = DECIDE_RUNNING;
	decide(&f.in, containers, &d);
	assert_int_equal(containers[0], DO_START); /* at once: it was not its fault */
}

static void test_the_time_of_a_condition_changes_with_its_status_only(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	struct fixture f;
	enum decide_do containers[1];
	struct decision d;
	struct pod_status first, second, third;

	assert_ok(arena_new(1 << 20, &arena));
	fixture(&f);
	decide(&f.in, containers, &d);
	assert_ok(decide_status(arena, &f.in, &d, NULL, 7 * SEC, &first));
	assert_ok(decide_status(arena, &f.in, &d, &first, 8 * SEC, &second));
	end_with(&f, 1, true);
	decide(&f.in, containers, &d);
	assert_ok(decide_status(arena, &f.in, &d, &second, 9 * SEC, &third));
	assert_int_equal(condition_find(&second.conditions, "Ready")->transition.nsec, 7 * SEC);
	assert_int_equal(condition_find(&third.conditions, "Ready")->transition.nsec, 9 * SEC);
	assert_int_equal(condition_find(&third.conditions, "PodScheduled")->transition.nsec, 7 * SEC);
	assert_string_equal(condition_find(&third.conditions, "Ready")->reason, "ContainersNotReady");
}

static void test_how_a_container_ended_is_told_with_reason_and_code(void **state)
{
	(void)state;
	static const struct {
		uint32_t code, signal;
		bool known, oom;
		const char *reason;
	} rows[] = {
		{ 0, 0, true, false, "Completed" },
		{ 3, 0, true, false, "Error" },
		{ 137, 9, true, true, "OOMKilled" },
		/* One of its processes was killed: its own end may be another, or none of its concern. */
		{ 1, 0, true, true, "OOMKilled" },
		{ 0, 0, true, true, "Completed" },
		{ 255, 0, false, false, "ContainerStatusUnknown" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		struct fixture f;
		enum decide_do containers[1];
		struct decision d;
		struct pod_status s;
		assert_ok(arena_new(1 << 20, &arena));
		fixture(&f);
		f.pod.spec.restart = POD_RESTART_NEVER;
		end_with(&f, rows[i].code, rows[i].known);
		f.c.end.signal = rows[i].signal;
		f.c.end.oom = rows[i].oom;
		decide(&f.in, containers, &d);
		assert_ok(decide_status(arena, &f.in, &d, NULL, 7 * SEC, &s));
		const struct container_terminated *t = s.containers.items[0].state.terminated;
		assert_string_equal(t->reason, rows[i].reason);
		assert_int_equal(t->code, rows[i].code);
		assert_int_equal(t->signal, rows[i].signal);
		assert_int_equal(s.phase, rows[i].code == 0 ? POD_SUCCEEDED : POD_FAILED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_case_that_matters_is_decided_as_the_golden_table_says),
		cmocka_unit_test(test_pauses_grow_from_nothing_to_the_ceiling),
		cmocka_unit_test(test_a_container_whose_sandbox_died_ends_before_a_new_one_is_made),
		cmocka_unit_test(test_the_time_of_a_condition_changes_with_its_status_only),
		cmocka_unit_test(test_how_a_container_ended_is_told_with_reason_and_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
