/* tests/unit/scheduler/store_sqlite_test.c: the SQLite file: its age and health, a full disk, kill -9,
 * copies, bounds. */
#include "tests/unit/scheduler/store-fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#define COMPAT "tests/compat/store-1/store.db"

static void assert_refused(struct fixture *f, const char *text, int code)
{
	auto_str struct str actual = STR_INIT(4096);
	err *e = fixture_try_open(f);

	assert_non_null(e);
	err_format(e, &actual);
	assert_string_equal(actual.data, text);
	assert_int_equal(e->code, code);
	err_free(e);
	loop_free(f->loop);
	f->loop = NULL;
}

static void run_sql(const struct fixture *f, const char *sql)
{
	sqlite3 *db = NULL;
	char *why = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static void fill(struct fixture *f, int count)
{
	char key[32];
	auto_str struct str value = STR_INIT(1 << 16);

	for (int i = 0; i < 2000; i++)
		str_add_char(&value, 'v');
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "/fill/%05d", i);
		submit_one(f, op_put(key, STORE_ANY, value.data));
	}
	loop_settle(f->loop);
}

/* ---- whose file it is ---- */

static void test_an_unknown_url_names_those_that_are_known(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	snprintf(f.url, sizeof(f.url), "postgres:x");
	assert_err(fixture_try_open(&f), "begins with none of sqlite:");
	loop_free(f.loop);
	snprintf(f.url, sizeof(f.url), "sqlite:");
	assert_err(fixture_try_open(&f), "names no file");
	loop_free(f.loop);
	f.loop = NULL;
}

static void test_directory_and_files_are_the_owners_only(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	static const char *const names[] = { "", "/store.db", "/store.db-wal", "/store.db.lock" };
	struct stat st;
	char path[256];

	fixture_make(&f);
	snprintf(f.path, sizeof(f.path), "%s/new/store.db", f.dir);
	snprintf(f.url, sizeof(f.url), "sqlite:%s", f.path);
	fixture_open(&f);
	submit_one(&f, op_put("/a", STORE_ANY, "secret"));
	loop_settle(f.loop);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/new%s", f.dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
}

static void test_a_second_process_is_told_who_has_it(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	int ready[2], status;
	char byte;

	fixture_make(&f);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(ready[0]);
		err *e = fixture_try_open(&f);
		if (e || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	char text[64];
	snprintf(text, sizeof(text), "process %d has it open", pid);
	assert_refused(&f, text, EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fixture_open(&f); /* the lock went with its process */
}

static void test_a_newer_version_and_other_programs_files_are_left_alone(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	submit_one(&f, op_put("/a", STORE_ANY, "1"));
	fixture_close(&f);
	run_sql(&f, "UPDATE meta SET version = 2");
	assert_refused(&f, "has version 2, this program reads up to version 1", EINVAL);
	run_sql(&f, "UPDATE meta SET version = 1");
	fixture_open(&f);
	assert_entry(&f, "/a", "/a=1 1 1");
	fixture_close(&f);
	assert_int_equal(unlink(f.path), 0);
	run_sql(&f, "CREATE TABLE applications (number TEXT)");
	assert_refused(&f, "is the database of another program", EINVAL);
}

static void damage(const struct fixture *f, off_t at, size_t len, off_t cut)
{
	auto_close int fd = open(f->path, O_RDWR | O_CLOEXEC);
	auto_free char *noise = malloc(len + 1);

	assert_true(fd >= 0);
	memset(noise, 0x5a, len);
	assert_int_equal(pwrite(fd, noise, len, at), len);
	if (cut)
		assert_int_equal(ftruncate(fd, cut), 0);
}

static void assert_damaged(struct fixture *f)
{
	auto_str struct str text = STR_INIT(4096);
	err *e = fixture_try_open(f);

	assert_non_null(e);
	err_format(e, &text);
	if (!strstr(text.data, "the database is damaged: "))
		assert_string_equal(text.data, "the database is damaged: ...");
	assert_err_code(e, EINVAL);
	loop_free(f->loop);
	f->loop = NULL;
}

static void test_damage_is_said_and_not_served(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		off_t at;
		size_t len;
		off_t cut;
	} rows[] = {
		{ "a header of noise", 0, 100, 0 },
		{ "cut in a page", 0, 0, 4096 * 20 + 100 },
		{ "cut between pages", 0, 0, 4096 * 20 },
		{ "cut to less than a header", 0, 0, 50 },
		{ "first page of noise", 100, 3996, 0 },
		{ "a whole file of noise", 0, 100000, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_fixture struct fixture f;
		fixture_make(&f);
		fixture_open(&f);
		fill(&f, 100);
		fixture_close(&f);
		damage(&f, rows[i].at, rows[i].len, rows[i].cut);
		assert_damaged(&f);
	}
}

static void test_noise_anywhere_in_the_tables_is_found_when_opening(void **state)
{
	(void)state;
	for (off_t page = 1; page < 40; page += 6) {
		auto_fixture struct fixture f;
		fixture_make(&f);
		fixture_open(&f);
		fill(&f, 100);
		fixture_close(&f);
		damage(&f, page * 4096, 4096, 0);
		assert_damaged(&f);
	}
}

static bool add_one(const struct store_event *e, void *user)
{
	IGNORE(add_event(e, user));
	return false;
}

static void test_a_store_of_version_1_is_read(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	auto_str struct str bytes = STR_INIT(1 << 20), seen = STR_INIT(1 << 16);

	fixture_make(&f);
	assert_ok(file_read(AT_FDCWD, COMPAT, &bytes));
	assert_ok(file_replace(AT_FDCWD, f.path, bytes.data, bytes.len, 0600));
	fixture_open(&f);
	assert_int_equal(store_revision(f.store), 6);
	assert_list(&f, "/", NULL, 0, "/Lease/kube-node-lease/node-1 /Namespace/default /Pod/default/web-1 ");
	assert_entry(&f, "/Pod/default/web-1",
		     "/Pod/default/web-1={\"kind\":\"Pod\",\"name\":\"web-1\"} 3 5");
	assert_ok(store_history(f.store, 0, 0, add_event, &seen));
	assert_string_equal(seen.data,
			    "1+/Namespace/default 2+/Lease/kube-node-lease/node-1 3+/Pod/default/web-1 "
			    "3+/Pod/default/web-2 4-/Pod/default/web-2 5+/Pod/default/web-1 "
			    "6+/Namespace/default ");
	/* Its transactions had one revision each: a page ends behind the whole of one. */
	str_clear(&seen);
	struct store_past past = { .at = 2, .rows = 1 };
	assert_ok(store_past(f.store, &past, add_one, &seen));
	assert_string_equal(seen.data, "3+/Pod/default/web-1 3+/Pod/default/web-2 ");
	assert_int_equal(past.at, 3);
	str_clear(&seen);
	assert_ok(store_before(f.store, "/Pod/default/web-1", 5, add_one, &seen));
	assert_string_equal(seen.data, "3+/Pod/default/web-1 ");
	assert_true(store_lease_keep(f.store, 4711));
	loop_pass(f.loop, 41 * (int64_t)NSEC_PER_SEC);
	assert_told(&f, "7 /Lease/kube-node-lease/node-1\n");
}

/* ---- a disk that fails ---- */

/* In place of libc's, for SQLite too. */
static int syncs_that_fail;
static int sync_or_fail(long call, int fd)
{
	if (syncs_that_fail == 0)
		return (int)syscall(call, fd);
	syncs_that_fail--;
	errno = EIO;
	return -1;
}
int fsync(int fd)
{
	return sync_or_fail(SYS_fsync, fd);
}
int fdatasync(int fd)
{
	return sync_or_fail(SYS_fdatasync, fd);
}

static void assert_healthy_copy(struct fixture *f, const char *entry)
{
	struct fixture copy;
	static const char *const ends[] = { "", "-wal" };

	fixture_make(&copy);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		auto_str struct str bytes = STR_INIT(64 << 20);
		char from[300], to[300];

		snprintf(from, sizeof(from), "%s%s", f->path, ends[i]);
		snprintf(to, sizeof(to), "%s%s", copy.path, ends[i]);
		assert_ok(file_read(AT_FDCWD, from, &bytes));
		assert_ok(file_replace(AT_FDCWD, to, bytes.data, bytes.len, 0600));
	}
	fixture_open(&copy);
	assert_entry(&copy, "/a", entry);
	fixture_done_with(&copy);
}

static void test_a_write_that_is_not_safe_is_refused_and_later_ones_go_on(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct store_stats stats;

	fixture_make(&f);
	fixture_open(&f);
	submit_one(&f, op_put("/a", STORE_ABSENT, "1"));
	assert_told(&f, "1 /a=1\ndone 1\n");
	for (int i = 0; i < 3; i++) {
		/* With and without that of the checkpoint that follows. */
		syncs_that_fail = 1 + i;
		submit_one(&f, op_put("/a", 1, "2"));
		submit_one(&f, op_put("/b", STORE_ABSENT, "2"));
		/* No event, no acceptance. */
		assert_told(&f, "failed 0: commit: disk I/O error\nfailed 0: commit: disk I/O error\n");
		syncs_that_fail = 0;
		assert_entry(&f, "/a", "/a=1 1 1");
		assert_entry(&f, "/b", "nothing");
		assert_int_equal(store_revision(f.store), 1);
	}
	store_stats(f.store, &stats);
	assert_int_equal(stats.failures, 3);
	submit_one(&f, op_put("/a", 1, "3"));
	assert_told(&f, "2 /a=3\ndone 2\n");
	/* As after the machine's sudden end. */
	assert_healthy_copy(&f, "/a=3 1 2");
	fixture_reopen(&f);
	assert_entry(&f, "/a", "/a=3 1 2");
	assert_entry(&f, "/b", "nothing");
}

/* ---- a full disk ---- */

/* Write until it is full; true: it was. Every answer was a good one or ENOSPC. */
static bool write_until_full(struct fixture *f, int most)
{
	auto_str struct str value = STR_INIT(1 << 16);
	struct store_stats stats;

	for (int i = 0; i < 16000; i++)
		str_add_char(&value, 'v');
	for (int i = 0; i < most; i++) {
		char key[32];
		str_clear(&f->told);
		snprintf(key, sizeof(key), "/full/%05d", i);
		submit_one(f, op_put(key, STORE_ANY, value.data));
		submit_one(f, op_put("/last", STORE_ANY, "x"));
		loop_settle(f->loop);
		store_stats(f->store, &stats);
		if (stats.full)
			return true;
		assert_non_null(strstr(f->told.data, "done "));
	}
	return false;
}

static void assert_full_and_recovers(struct fixture *f, const char *why, void (*make_room)(const struct fixture *f))
{
	struct store_stats stats;
	auto_str struct str seen = STR_INIT(1 << 20);
	char told[256];

	assert_true(write_until_full(f, 2000));
	/* Both transactions of the group have the same answer, wherever in it the disk was full. */
	static const char *const steps[] = { "write", "commit" };
	bool known = false;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		snprintf(told, sizeof(told), "failed 0: %s: %s\nfailed 0: %s: %s\n", steps[i], why, steps[i], why);
		known = known || strcmp(f->told.data, told) == 0;
	}
	if (!known)
		assert_string_equal(f->told.data, told);
	uint64_t revision = store_revision(f->store);
	assert_entry(f, "/before", "/before=1 1 1");
	assert_ok(store_history(f->store, revision - 1, 0, add_event, &seen));
	make_room(f);
	str_clear(&f->told);
	submit_one(f, op_put("/before", 1, "2"));
	loop_settle(f->loop);
	assert_int_equal(store_revision(f->store), revision + 1);
	store_stats(f->store, &stats);
	assert_false(stats.full);
	assert_true(stats.failures >= 1);
	assert_true(write_until_full(f, 5) == false);
	fixture_reopen(f);
	assert_int_equal(store_revision(f->store), revision + 11);
	str_clear(&seen);
	assert_ok(store_history(f->store, 0, 0, add_event, &seen));
	assert_true(str_starts_with(seen.data, "1+/before 2+/"));
}

static void lift_limit(const struct fixture *f)
{
	struct rlimit limit;

	(void)f;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_writes_over_a_size_limit_are_refused_and_go_on_when_it_is_lifted(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct rlimit limit;

	fixture_make(&f);
	fixture_open(&f);
	submit_one(&f, op_put("/before", STORE_ABSENT, "1"));
	loop_settle(f.loop);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 3 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_full_and_recovers(&f, "the disk takes no more: disk I/O error", lift_limit);
}

static void remove_ballast(const struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/ballast", f->dir);
	assert_int_equal(unlink(path), 0);
}

static void fill_disk(const struct fixture *f)
{
	static const char zeros[4096];
	char path[128];

	snprintf(path, sizeof(path), "%s/ballast", f->dir);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
}

static void test_a_full_file_system_refuses_writes_and_recovers_when_it_has_room(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		print_message("needs root for a file system of its own\n");
		skip();
	}
	fixture_make(&f);
	assert_int_equal(mount("tmpfs", f.dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=8m"), 0);
	fixture_open(&f);
	submit_one(&f, op_put("/before", STORE_ABSENT, "1"));
	loop_settle(f.loop);
	fill_disk(&f);
	assert_full_and_recovers(&f, "no space is left on the disk", remove_ballast);
	fixture_close(&f);
	umount2(f.dir, MNT_DETACH);
}

/* ---- kill -9 ---- */

struct ack {
	uint64_t number, revision;
};
struct writer {
	struct fixture *f;
	int fd;
	uint64_t next;
	unsigned in_flight;
};
struct ticket {
	struct writer *writer;
	uint64_t number;
};

static void acknowledged(const struct store_result *r, void *user)
{
	struct ticket *t = user;
	struct ack ack = { t->number, r->revision };

	t->writer->in_flight--;
	if (r->error || write(t->writer->fd, &ack, sizeof(ack)) != sizeof(ack))
		_exit(1);
	free(t);
}

/* For ever: a few transactions at a time, each of one key of its own and one that all change. */
static NORETURN void write_for_ever(struct fixture *f, int fd, uint64_t first)
{
	struct writer w = { .f = f, .fd = fd, .next = first };

	if (fixture_try_open(f))
		_exit(1);
	for (;;) {
		for (unsigned i = 0; i <= w.next % 7; i++) {
			struct ticket *t = malloc(sizeof(*t));
			char key[32], value[32];
			*t = (struct ticket){ &w, w.next++ };
			snprintf(key, sizeof(key), "/k/%08llu", (unsigned long long)t->number);
			snprintf(value, sizeof(value), "%llu", (unsigned long long)t->number);
			const struct store_op ops[] = { op_put(key, STORE_ANY, value),
							op_put("/shared", STORE_ANY, value) };
			w.in_flight++;
			store_submit(f->store, ops, ARRAY_LEN(ops), acknowledged, t);
		}
		loop_turn(f->loop);
		str_clear(&f->told);
	}
}

struct order {
	uint64_t revision;
};

static err *check_order(const struct store_event *e, void *user)
{
	struct order *o = user;

	if (e->revision != o->revision && e->revision != o->revision + 1)
		return err_new(EINVAL, "after revision %llu comes %llu", (unsigned long long)o->revision,
			       (unsigned long long)e->revision);
	o->revision = e->revision;
	return NULL;
}

static void test_every_acknowledged_write_outlives_kill_9(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct order order = { 0 };
	uint64_t first = 1, last_revision = 0;

	fixture_make(&f);
	srand(1);
	for (int round = 0; round < 50; round++) {
		int pipes[2], status, wanted = rand() % 120;
		struct ack ack;

		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0)
			write_for_ever(&f, pipes[1], first);
		close(pipes[1]);
		auto_str struct str acks = STR_INIT(1 << 24);
		while (acks.len < (size_t)wanted * sizeof(ack)) {
			assert_int_equal(read(pipes[0], &ack, sizeof(ack)), sizeof(ack));
			str_add_bytes(&acks, &ack, sizeof(ack));
		}
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		while (read(pipes[0], &ack, sizeof(ack)) == sizeof(ack))
			str_add_bytes(&acks, &ack, sizeof(ack));
		close(pipes[0]);
		fixture_open(&f);
		for (size_t at = 0; at < acks.len; at += sizeof(ack)) {
			char key[32], text[128];
			memcpy(&ack, acks.data + at, sizeof(ack));
			snprintf(key, sizeof(key), "/k/%08llu", (unsigned long long)ack.number);
			snprintf(text, sizeof(text), "%s=%llu %llu %llu", key, (unsigned long long)ack.number,
				 (unsigned long long)ack.revision - 1, (unsigned long long)ack.revision - 1);
			assert_entry(&f, key, text);
			assert_true(ack.revision > last_revision);
			last_revision = ack.revision;
		}
		assert_true(store_revision(f.store) >= last_revision);
		last_revision = store_revision(f.store);
		first = last_revision + 1000;
		assert_ok(store_history(f.store, order.revision, 0, check_order, &order));
		assert_int_equal(order.revision, last_revision);
		fixture_close(&f);
	}
}

/* ---- copies and bounds ---- */

static void test_a_snapshot_is_a_store_of_its_own(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	char path[128], text[256];
	struct stat st;

	fixture_make(&f);
	fixture_open(&f);
	fill(&f, 100);
	snprintf(path, sizeof(path), "%s/copy.db", f.dir);
	assert_ok(store_snapshot(f.store, path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(text, sizeof(text), "snapshot '%s': create: File exists", path);
	assert_err(store_snapshot(f.store, path), text);
	submit_one(&f, op_put("/fill/00000", 1, "later"));
	fixture_close(&f);
	snprintf(f.url, sizeof(f.url), "sqlite:%s", path);
	fixture_open(&f);
	assert_int_equal(store_revision(f.store), 100);
	assert_list(&f, "/", NULL, 2, "/fill/00000 /fill/00001 ");
	assert_err_code(store_history(f.store, 101, 0, add_event, NULL), EKEYEXPIRED);
}

static void test_files_stay_small_however_much_is_written(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct stat db, wal;
	char path[256];

	fixture_make(&f);
	f.options.keep_bytes = 1 << 20;
	fixture_open(&f);
	for (int i = 0; i < 40; i++) {
		fill(&f, 200); /* 400 kB of values each */
		str_clear(&f.told);
	}
	snprintf(path, sizeof(path), "%s-wal", f.path);
	assert_int_equal(stat(f.path, &db), 0);
	assert_int_equal(stat(path, &wal), 0);
	assert_true(db.st_size < 8 << 20);
	assert_true(wal.st_size < 16 << 20);
}

static void test_figures_count_what_happened(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct store_stats stats;

	fixture_make(&f);
	fixture_open(&f);
	submit_one(&f, op_put("/a", STORE_ABSENT, "1"));
	submit_one(&f, op_put("/b", STORE_ABSENT, "1"));
	submit_one(&f, op_put("/a", STORE_ABSENT, "1"));
	loop_settle(f.loop);
	submit_one(&f, op_delete("/b", STORE_ANY));
	loop_settle(f.loop);
	store_stats(f.store, &stats);
	assert_int_equal(stats.commits, 2);
	assert_int_equal(stats.transactions, 3);
	assert_int_equal(stats.conflicts, 1);
	assert_int_equal(stats.failures, 0);
	assert_int_equal(stats.keys, 1);
	assert_true(stats.bytes >= 4096);
	assert_false(stats.full);
	fixture_reopen(&f);
	store_stats(f.store, &stats);
	assert_int_equal(stats.keys, 1);
}

/* The disk's failure is logged, which is not for the test's reader. */
static int quiet(void **state)
{
	(void)state;
	IGNORE(log_open("/dev/null", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_unknown_url_names_those_that_are_known),
		cmocka_unit_test(test_directory_and_files_are_the_owners_only),
		cmocka_unit_test(test_a_second_process_is_told_who_has_it),
		cmocka_unit_test(test_a_newer_version_and_other_programs_files_are_left_alone),
		cmocka_unit_test(test_damage_is_said_and_not_served),
		cmocka_unit_test(test_noise_anywhere_in_the_tables_is_found_when_opening),
		cmocka_unit_test(test_a_store_of_version_1_is_read),
		cmocka_unit_test(test_a_write_that_is_not_safe_is_refused_and_later_ones_go_on),
		cmocka_unit_test(test_writes_over_a_size_limit_are_refused_and_go_on_when_it_is_lifted),
		cmocka_unit_test(test_every_acknowledged_write_outlives_kill_9),
		cmocka_unit_test(test_a_snapshot_is_a_store_of_its_own),
		cmocka_unit_test(test_files_stay_small_however_much_is_written),
		cmocka_unit_test(test_figures_count_what_happened),
		/* The last one: it leaves the test in a mount namespace of its own. */
		cmocka_unit_test(test_a_full_file_system_refuses_writes_and_recovers_when_it_has_room),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
