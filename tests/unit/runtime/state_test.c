/* tests/unit/runtime/state_test.c: records, locks, status and leftovers of containers. */
#include "tests/unit/place.h"

#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "runtime/cgroup.h"
#include "runtime/state.h"

static void fill(struct state_record *r, pid_t pid)
{
	r->oci_version = "1.3.0";
	r->bundle = "/b";
	r->rootfs = "/b/rootfs";
	r->pid = pid;
	if (pid)
		assert_null(state_start_time(pid, &r->start_time));
}

/* A whole container: made, recorded with `pid`, lock dropped. */
static void make(struct place *p, const char *id, pid_t pid)
{
	auto_container struct container c = CONTAINER_INIT;

	assert_null(container_create(p->arena, p->root, id, &c));
	fill(&c.record, pid);
	assert_null(container_save(&c));
}

static enum state_status status_of(struct place *p, const char *id)
{
	auto_container struct container c = CONTAINER_INIT;
	enum state_status status;

	assert_null(container_open(p->arena, p->root, id, CONTAINER_READ, &c));
	assert_null(container_status(&c, &status, NULL));
	return status;
}

/* ---- text ---- */

static void test_ids_name_directories_and_nothing_else(void **state)
{
	(void)state;
	static const char *const good[] = { "web", "a", "9", "x_y+z-1.2", "a..b" };
	static const char *const bad[] = { "", ".", "..", ".cache", "a/b", "a b", "ä", "a\n", "../x", "a:b" };
	char long_id[300];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_null(state_check_id(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_err err *e = state_check_id(bad[i]);
		if (!e)
			fail_msg("'%s' was accepted", bad[i]);
	}
	memset(long_id, 'a', sizeof long_id);
	long_id[STATE_ID_MAX] = '\0';
	assert_null(state_check_id(long_id));
	long_id[STATE_ID_MAX] = 'a';
	long_id[STATE_ID_MAX + 1] = '\0';
	auto_err err *e = state_check_id(long_id);
	assert_non_null(e);
}

static void test_records_of_version_1_are_read_and_written_byte_by_byte(void **state)
{
	struct place *p = *state;
	auto_str struct str fixture = STR_INIT(4096);
	auto_str struct str text = STR_INIT(4096);
	struct state_record r;

	assert_null(file_read(AT_FDCWD, "tests/compat/state/version-1.json", &fixture));
	assert_null(state_decode(p->arena, "state.json", fixture.data, fixture.len, &r));
	assert_string_equal(r.id, "web");
	assert_int_equal(r.pid, 4242);
	assert_int_equal(r.start_time, 123456);
	assert_string_equal(r.cgroup, "/machine/web");
	assert_int_equal(r.cgroup_made, 2);
	assert_true(r.own_pid_namespace && r.poststop);
	assert_string_equal(string_map_get(&r.annotations, "org.example"), "value \"quoted\"");
	assert_null(state_encode(&r, &text));
	str_add_char(&text, '\n');
	assert_string_equal(text.data, fixture.data);
	/* What came later is left out of it, and read back when it is there. */
	assert_null(r.boot_id);
	r.boot_id = "boot";
	r.creator = 7;
	r.creator_start_time = 8;
	text.len = 0;
	assert_null(state_encode(&r, &text));
	assert_null(state_decode(p->arena, "state.json", text.data, text.len, &r));
	assert_string_equal(r.boot_id, "boot");
	assert_int_equal(r.creator, 7);
	assert_int_equal(r.creator_start_time, 8);
}

static void test_records_of_a_systemd_unit_are_read_and_written_byte_by_byte(void **state)
{
	struct place *p = *state;
	auto_str struct str fixture = STR_INIT(4096);
	auto_str struct str text = STR_INIT(4096);
	struct state_record r;

	assert_null(file_read(AT_FDCWD, "tests/compat/state/version-1-unit.json", &fixture));
	assert_null(state_decode(p->arena, "state.json", fixture.data, fixture.len, &r));
	assert_string_equal(r.unit.name, "libpod-web.scope");
	assert_true(r.unit.user);
	assert_string_equal(r.unit.invocation, "2dbfadb5d78c4134b773466af9ad6718");
	assert_null(state_encode(&r, &text));
	str_add_char(&text, '\n');
	assert_string_equal(text.data, fixture.data);
	r.unit.invocation = "not an id";
	text.len = 0;
	assert_null(state_encode(&r, &text));
	auto_err err *e = state_decode(p->arena, "state.json", text.data, text.len, &r);
	assert_non_null(e);
}

static void test_records_that_cannot_be_trusted_say_where(void **state)
{
	struct place *p = *state;
	static const struct { const char *text, *expected; } rows[] = {
		{ "{\"version\":2}", "state.json:1:12: version: 2 is not a whole number from 1 to 1" },
		{ "{\"version\":1,\"id\":\"../x\"}",
		  "state.json:1:19: id: '../x' begins with a dot" },
		{ "{\"version\":1,\"surprise\":true}", "state.json:1:25: surprise: unknown field" },
		{ "{\"version\":1,\"id\":\"a\",\"id\":\"b\"}", "state.json:1:28: duplicate key 'id'" },
		{ "", NULL },
		{ "null", NULL },
		{ "{\"version\":1,\"id\":\"web\",\"ociVersion\":\"1\",\"pid\":-1}", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct state_record r;
		auto_str struct str text = STR_INIT(4096);
		auto_err err *e = state_decode(p->arena, "state.json", rows[i].text, strlen(rows[i].text), &r);
		if (!e)
			fail_msg("accepted: %s", rows[i].text);
		err_format(e, &text);
		if (rows[i].expected)
			assert_string_equal(text.data, rows[i].expected);
	}
}

static void test_users_and_hooks_see_the_state_of_the_specification(void **state)
{
	(void)state;
	struct string_pair pair = { "k", "v" };
	struct state_record r = {
		.id = "web", .oci_version = "1.3.0", .pid = 42, .bundle = "/b", .rootfs = "/b/rootfs",
		.created = "2026-11-23T20:15:04Z", .owner = "root", .annotations = { &pair, 1 },
	};
	auto_str struct str text = STR_INIT(4096);

	assert_null(state_json(&r, STATE_CREATED, false, 0, &text));
	assert_string_equal(text.data, "{\"ociVersion\":\"1.3.0\",\"id\":\"web\",\"pid\":42,\"status\":\"created\","
			    "\"bundle\":\"/b\",\"annotations\":{\"k\":\"v\"}}");
	str_clear(&text);
	r.annotations.count = 0;
	assert_null(state_json(&r, STATE_STOPPED, false, 0, &text));
	assert_string_equal(text.data, "{\"ociVersion\":\"1.3.0\",\"id\":\"web\",\"status\":\"stopped\","
			    "\"bundle\":\"/b\"}");
	str_clear(&text);
	assert_null(state_json(&r, STATE_STOPPED, true, 0, &text));
	assert_string_equal(text.data, "{\"ociVersion\":\"1.3.0\",\"id\":\"web\",\"pid\":0,\"status\":\"stopped\","
			    "\"bundle\":\"/b\",\"rootfs\":\"/b/rootfs\",\"created\":\"2026-11-23T20:15:04Z\","
			    "\"owner\":\"root\"}");
}

/* ---- directories ---- */

static void test_a_container_is_created_once_and_found_again(void **state)
{
	struct place *p = *state;
	auto_container struct container c = CONTAINER_INIT;
	auto_container struct container again = CONTAINER_INIT;
	struct stat st;
	char path[128];

	make(p, "web", getpid());
	snprintf(path, sizeof path, "%s/web", p->root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_failure(container_create(p->arena, p->root, "web", &again), EEXIST,
		       "container with given ID already exists");
	assert_null(container_open(p->arena, p->root, "web", CONTAINER_LOCK, &c));
	assert_string_equal(c.record.id, "web");
	assert_string_equal(c.record.bundle, "/b");
	assert_non_null(c.record.owner);
	assert_null(container_remove(&c));
	assert_false(place_has(p, "web"));
}

static void test_what_does_not_exist_is_said_in_the_words_callers_look_for(void **state)
{
	struct place *p = *state;
	struct container c;

	assert_failure(container_open(p->arena, p->root, "no", CONTAINER_READ, &c), ENOENT,
		       "container 'no' does not exist");
	assert_failure(container_open(p->arena, "/no/such/root", "no", CONTAINER_READ, &c), ENOENT,
		       "container 'no' does not exist");
}

static void test_the_config_of_create_is_kept_for_later(void **state)
{
	struct place *p = *state;
	auto_container struct container c = CONTAINER_INIT;
	auto_str struct str text = STR_INIT(4096);

	assert_null(container_create(p->arena, p->root, "web", &c));
	assert_null(container_save_config(&c, "{\"x\":1}", 7));
	assert_null(container_load_config(&c, &text));
	assert_string_equal(text.data, "{\"x\":1}");
}

static void test_a_record_that_others_could_write_is_not_believed(void **state)
{
	struct place *p = *state;
	struct container c;
	char path[128];

	make(p, "web", getpid());
	snprintf(path, sizeof path, "%s/web/state.json", p->root);
	assert_int_equal(chmod(path, 0622), 0);
	assert_failure(container_open(p->arena, p->root, "web", CONTAINER_READ, &c), EPERM,
		       "state of container 'web' could have been written by another user");
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(path, sizeof path, "%s/web", p->root);
	assert_int_equal(chmod(path, 0770), 0);
	assert_failure(container_open(p->arena, p->root, "web", CONTAINER_READ, &c), EPERM,
		       "state of container 'web' could have been written by another user");
}

static void test_a_record_behind_a_link_or_of_another_name_is_refused(void **state)
{
	struct place *p = *state;
	struct container c;
	char from[128], to[128];

	make(p, "web", getpid());
	snprintf(from, sizeof from, "%s/web", p->root);
	snprintf(to, sizeof to, "%s/other", p->root);
	assert_int_equal(symlink("web", to), 0);
	auto_err err *e = container_open(p->arena, p->root, "other", CONTAINER_READ, &c);
	assert_non_null(e);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(rename(from, to), 0);
	assert_failure(container_open(p->arena, p->root, "other", CONTAINER_READ, &c), EINVAL,
		       "other/state.json: id: is 'web'");
	assert_null(state_discard(p->root, "other"));
	assert_false(place_has(p, "other"));
}

static void test_a_locked_container_makes_the_next_command_wait(void **state)
{
	struct place *p = *state;
	auto_container struct container c = CONTAINER_INIT;

	make(p, "web", getpid());
	assert_null(container_open(p->arena, p->root, "web", CONTAINER_LOCK, &c));
	pid_t pid = fork();
	if (pid == 0) {
		struct container second = CONTAINER_INIT;
		container_done(&c); /* only this process's copy: the lock stays with the parent's */
		_exit(container_open(p->arena, p->root, "web", CONTAINER_LOCK, &second) ? 1 : 0);
	}
	usleep(100000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	container_done(&c);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- status ---- */

static pid_t sleeper(int keep_fd)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		/* As init's exec would, drop the lock on SIGUSR1. */
		while (sigwait(&set, &sig) == 0)
			close(keep_fd);
		_exit(1);
	}
	return pid;
}

static void test_status_follows_the_process_from_created_to_stopped(void **state)
{
	struct place *p = *state;
	auto_container struct container c = CONTAINER_INIT;
	int start = -1, pidfd = -1;
	enum state_status status;

	assert_null(container_create(p->arena, p->root, "web", &c));
	fill(&c.record, 0);
	assert_null(container_save(&c));
	assert_int_equal(status_of(p, "web"), STATE_CREATING);
	assert_null(container_hold_start(&c, &start));
	pid_t pid = sleeper(start);
	fill(&c.record, pid);
	assert_null(container_save(&c));
	close(start);
	container_done(&c);

	assert_int_equal(status_of(p, "web"), STATE_CREATED);
	kill(pid, SIGUSR1);
	for (int i = 0; i < 500 && status_of(p, "web") == STATE_CREATED; i++)
		usleep(10000);
	assert_null(container_open(p->arena, p->root, "web", CONTAINER_READ, &c));
	assert_null(container_status(&c, &status, &pidfd));
	assert_int_equal(status, STATE_RUNNING);
	assert_true(pidfd >= 0);
	close(pidfd);
	kill(pid, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(status_of(p, "web"), STATE_STOPPED); /* although nobody has waited for it yet */
	waitpid(pid, NULL, 0);
	assert_int_equal(status_of(p, "web"), STATE_STOPPED);
}

static void test_a_reused_pid_is_not_the_container(void **state)
{
	struct place *p = *state;
	auto_container struct container c = CONTAINER_INIT;
	int pidfd = -1;

	assert_null(container_create(p->arena, p->root, "web", &c));
	fill(&c.record, getpid());
	c.record.start_time--;
	assert_null(container_save(&c));
	container_done(&c);
	assert_int_equal(status_of(p, "web"), STATE_STOPPED);
	assert_failure(state_open_process(getpid(), 1, &pidfd), ESRCH, "no such process");
	assert_int_equal(pidfd, -1);
}

static void test_the_start_time_is_found_behind_any_process_name(void **state)
{
	(void)state;
	uint64_t plain, odd;

	assert_null(state_start_time(getpid(), &plain));
	assert_int_equal(prctl(PR_SET_NAME, "a) Z (b"), 0);
	assert_null(state_start_time(getpid(), &odd));
	assert_true(plain == odd);
	assert_failure(state_start_time(999999999, &plain), ESRCH,
		       "open '/proc/999999999/stat': No such file or directory");
}

/* ---- leftovers ---- */

/* What a create that was killed right after its mkdir leaves. */
static void leave_empty(struct place *p, const char *id)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", p->root, id);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void test_leftovers_of_a_killed_create_are_recognised_and_cleaned(void **state)
{
	struct place *p = *state;
	auto_container struct container c = CONTAINER_INIT;
	bool cleaned;

	leave_empty(p, "early");
	make(p, "late", 0); /* a record in phase creating, its lock free */
	make(p, "alive", getpid());
	assert_failure(container_open(p->arena, p->root, "early", CONTAINER_READ, &c), ENOENT,
		       "container 'early' does not exist");
	assert_failure(container_open(p->arena, p->root, "late", CONTAINER_LOCK, &c), ENOENT,
		       "container 'late' does not exist");
	assert_null(state_clean_leftover(p->arena, p->root, "alive", &cleaned));
	assert_false(cleaned);
	assert_null(state_clean_leftover(p->arena, p->root, "late", &cleaned));
	assert_true(cleaned);
	assert_false(place_has(p, "late"));
	assert_null(container_create(p->arena, p->root, "early", &c));
	assert_true(place_has(p, "early"));
	assert_true(place_has(p, "alive/state.json"));
}

static void test_a_create_at_work_is_no_leftover(void **state)
{
	struct place *p = *state;
	auto_container struct container c = CONTAINER_INIT;
	struct container second;
	struct strings ids;
	bool cleaned;

	assert_null(container_create(p->arena, p->root, "web", &c));
	assert_null(state_clean_leftover(p->arena, p->root, "web", &cleaned));
	assert_false(cleaned);
	assert_failure(container_create(p->arena, p->root, "web", &second), EEXIST,
		       "container with given ID already exists");
	fill(&c.record, 0);
	assert_null(container_save(&c));
	assert_null(state_list(p->arena, p->root, &ids));
	assert_int_equal(ids.count, 1);
	assert_int_equal(status_of(p, "web"), STATE_CREATING);
}

static void test_the_list_is_sorted_and_free_of_leftovers_and_strangers(void **state)
{
	struct place *p = *state;
	struct strings ids;
	char path[128];

	assert_null(state_list(p->arena, "/no/such/root", &ids));
	assert_int_equal(ids.count, 0);
	make(p, "zoo", getpid());
	make(p, "amt", getpid());
	make(p, "half", 0);
	leave_empty(p, "empty");
	leave_empty(p, ".cache");
	snprintf(path, sizeof path, "%s/file", p->root);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_null(state_list(p->arena, p->root, &ids));
	assert_int_equal(ids.count, 2);
	assert_string_equal(ids.items[0], "amt");
	assert_string_equal(ids.items[1], "zoo");
	assert_false(place_has(p, "half"));
	assert_false(place_has(p, "empty"));
	assert_true(place_has(p, ".cache"));
}

static void test_many_creates_and_cleaners_of_one_id_never_both_win(void **state)
{
	struct place *p = *state;
	pid_t pids[4];
	int winners = 0;

	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			int won = 0;
			for (int round = 0; round < 100; round++) {
				struct container c = CONTAINER_INIT;
				struct strings ids;
				err *e = container_create(p->arena, p->root, "web", &c);
				if (!e) {
					/* Alone here: a second creator would find this file. */
					int mark = openat(c.dir_fd, "mark", O_CREAT | O_EXCL | O_CLOEXEC, 0600);
					won += mark >= 0 ? 0 : 1;
					fd_close(mark);
					e = container_remove(&c);
				}
				err_free(e);
				container_done(&c);
				err_free(state_list(p->arena, p->root, &ids));
			}
			_exit(won);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status;
		waitpid(pids[i], &status, 0);
		winners += status;
	}
	assert_int_equal(winners, 0);
}

static void test_the_cgroup_of_a_killed_create_goes_with_it(void **state)
{
	struct place *p = *state;
	auto_cgroup_root struct cgroup_root root = { .fd = -1 };
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	auto_container struct container c = CONTAINER_INIT;
	struct cgroup_request r = { .id = "web" };
	bool cleaned;

	auto_err err *none = cgroup_root_open(p->arena, &root);
	if (none || faccessat(root.fd, "cgroup.procs", W_OK, 0) < 0) {
		print_message("skipped: no cgroup v2 hierarchy that this user may write\n");
		skip();
	}
	r.cgroups_path = arena_printf(p->arena, "/stube-state-%d", getpid());
	assert_null(cgroup_plan(p->arena, &root, &r, &cg));
	assert_null(container_create(p->arena, p->root, "web", &c));
	fill(&c.record, 0);
	c.record.cgroup = cg.path;
	c.record.cgroup_made = cg.made;
	assert_null(container_save(&c));
	assert_null(cgroup_create(&cg, NULL));
	/* A process that the killed create left in it. */
	pid_t pid = fork();
	if (pid == 0) {
		container_done(&c); /* an exec would close it */
		err_free(file_put(cg.fd, "cgroup.procs", "0"));
		_exit((int)sleep(60));
	}
	pid_t *pids;
	size_t count = 0;
	for (int i = 0; i < 500 && count == 0; i++, usleep(10000))
		assert_null(cgroup_processes(&cg, p->arena, &pids, &count));
	container_done(&c); /* the create is dead: its lock is free */
	err *e = state_clean_leftover(p->arena, p->root, "web", &cleaned);
	int status;
	kill(pid, e || !cleaned ? SIGKILL : 0);
	waitpid(pid, &status, 0);
	assert_null(e);
	assert_true(cleaned);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(faccessat(root.fd, cg.path + 1, F_OK, 0), -1);
}

#define STATE_TEST(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_name_directories_and_nothing_else),
		STATE_TEST(test_records_of_version_1_are_read_and_written_byte_by_byte),
		STATE_TEST(test_records_of_a_systemd_unit_are_read_and_written_byte_by_byte),
		STATE_TEST(test_records_that_cannot_be_trusted_say_where),
		cmocka_unit_test(test_users_and_hooks_see_the_state_of_the_specification),
		STATE_TEST(test_a_container_is_created_once_and_found_again),
		STATE_TEST(test_what_does_not_exist_is_said_in_the_words_callers_look_for),
		STATE_TEST(test_the_config_of_create_is_kept_for_later),
		STATE_TEST(test_a_record_that_others_could_write_is_not_believed),
		STATE_TEST(test_a_record_behind_a_link_or_of_another_name_is_refused),
		STATE_TEST(test_a_locked_container_makes_the_next_command_wait),
		STATE_TEST(test_status_follows_the_process_from_created_to_stopped),
		STATE_TEST(test_a_reused_pid_is_not_the_container),
		cmocka_unit_test(test_the_start_time_is_found_behind_any_process_name),
		STATE_TEST(test_leftovers_of_a_killed_create_are_recognised_and_cleaned),
		STATE_TEST(test_a_create_at_work_is_no_leftover),
		STATE_TEST(test_the_list_is_sorted_and_free_of_leftovers_and_strangers),
		STATE_TEST(test_many_creates_and_cleaners_of_one_id_never_both_win),
		STATE_TEST(test_the_cgroup_of_a_killed_create_goes_with_it),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
