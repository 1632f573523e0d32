/* tests/unit/images/store_test.c: layout, names, leases, gc and fsck of the store. */
#include "tests/unit/images/fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "images/layer.h"

/* ---- place and opening ---- */

static void test_the_place_is_the_option_then_the_environment_then_the_users_own(void **state)
{
	(void)state;
	auto_str struct str place = STR_INIT(4096);

	setenv("STUBE_STORE", "/from/env", 1);
	assert_ok(image_store_place("/from/option", &place));
	assert_string_equal(place.data, "/from/option");
	str_clear(&place);
	assert_ok(image_store_place(NULL, &place));
	assert_string_equal(place.data, "/from/env");
	str_clear(&place);
	unsetenv("STUBE_STORE");
	setenv("XDG_DATA_HOME", "/home/amt/data", 1);
	assert_ok(image_store_place(NULL, &place));
	assert_string_equal(place.data,
			    geteuid() == 0 ? "/var/lib/stube/images" : "/home/amt/data/stube/images");
}

static void test_a_new_store_has_its_version_and_nobody_else_may_look(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_store struct image_store *s = NULL;
	auto_str struct str version = STR_INIT(64);
	struct stat st;

	dir_make(&d);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_ok(file_read(image_store_fd(s), "version", &version));
	assert_string_equal(version.data, "1\n");
	assert_int_equal(stat(d.store, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_many_processes_may_make_the_same_store_at_once(void **state)
{
	(void)state;
	enum { ROUNDS = 40, MAKERS = 6 };

	for (int round = 0; round < ROUNDS; round++) {
		auto_dir struct dir d;
		pid_t pids[MAKERS];
		int status;

		dir_make(&d);
		for (int i = 0; i < MAKERS; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				struct image_store *s = NULL;
				err *e = image_store_open(d.store, IMAGE_STORE_SHARED, &s);
				_exit(e ? 1 : 0);
			}
		}
		for (int i = 0; i < MAKERS; i++) {
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_int_equal(status, 0);
		}
	}
}

static void test_a_directory_with_other_things_is_refused_and_left_alone(void **state)
{
	(void)state;
	auto_dir struct dir d;
	struct image_store *s = NULL;
	char path[128], error[256];

	dir_make(&d);
	snprintf(path, sizeof path, "%s/letters", d.path);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(error, sizeof error, "image store '%s': is not an image store: it holds 'letters'", d.path);
	assert_err(image_store_open(d.path, IMAGE_STORE_SHARED, &s), error);
	snprintf(path, sizeof path, "%s/version", d.path);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/lock", d.path);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_a_newer_or_damaged_version_is_refused(void **state)
{
	(void)state;
	static const struct { const char *text; int code; } rows[] = {
		{ "2\n", ENOTSUP }, { "", EINVAL }, { "one\n", EINVAL }, { "0\n", EINVAL }, { "-1\n", EINVAL },
	};
	auto_dir struct dir d;
	struct image_store *s = NULL;
	char path[128];

	dir_make(&d);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	image_store_free(s);
	snprintf(path, sizeof path, "%s/version", d.store);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_ok(file_replace(AT_FDCWD, path, rows[i].text, strlen(rows[i].text), 0600));
		assert_err_code(image_store_open(d.store, IMAGE_STORE_SHARED, &s), rows[i].code);
	}
}

static void test_a_sweep_waits_for_those_who_use_the_store(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_store struct image_store *user = NULL;
	struct image_store *other = NULL;
	int status;

	dir_make(&d);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &user));
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &other)); /* users do not exclude each other */
	image_store_free(other);
	pid_t pid = fork();
	if (pid == 0) {
		fd_close(user->lock_fd); /* the child's copy of the parent's lock */
		struct image_store *s = NULL;
		_exit(image_store_open(d.store, IMAGE_STORE_SWEEP, &s) ? 1 : 0);
	}
	usleep(50000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	image_store_free(TAKE(user));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- names ---- */

static void test_names_become_file_names_and_back(void **state)
{
	(void)state;
	static const struct { const char *name, *file; } rows[] = {
		{ "registry.example:5000/amt/antrag:1", "registry.example:5000%2Famt%2Fantrag:1" },
		{ "localhost/a:b", "localhost%2Fa:b" },
		{ "[::1]:5000/a@sha256:00", "%5B::1%5D:5000%2Fa@sha256:00" },
		{ ".hidden", "%2Ehidden" },
		{ "100%", "100%25" },
	};
	char out[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(ref_escape(rows[i].name, out));
		assert_string_equal(out, rows[i].file);
		assert_true(ref_unescape(rows[i].file, out));
		assert_string_equal(out, rows[i].name);
	}
}

static void test_file_names_that_no_name_has_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "%", "%2", "%2f", "%41", "%00", "a b", ".x", "a%2", "%ZZ" };
	char out[256], long_name[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(ref_unescape(rows[i], out));
	memset(long_name, 'a', 256);
	long_name[256] = '\0';
	assert_false(ref_escape(long_name, out));
	long_name[255] = '\0';
	assert_true(ref_escape(long_name, out));
	memset(long_name, '/', 86);
	long_name[86] = '\0';
	assert_false(ref_escape(long_name, out));
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void test_a_damaged_ref_file_is_an_error_that_names_it(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"\n",
		"sha256:" ZEROS " 5 a/b", /* cut: no line end */
		"sha256:" ZEROS " 5\n",
		"sha256:" ZEROS " 5 a/b c\n",
		"sha256:" ZEROS " -5 a/b\n",
		"sha256:" ZEROS " 99999999999999999999 a/b\n",
		"sha256:" ZEROS " 5 a/b\x01\n",
		"sha256:123 5 a/b\n",
		"../../../etc/passwd 5 a/b\n",
	};
	auto_arena struct arena *arena = NULL;
	struct image_ref ref;

	assert_ok(arena_new(1 << 20, &arena));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str text = STR_INIT(4096);
		err *e = ref_parse(arena, "amt/antrag:1", rows[i], strlen(rows[i]), &ref);

		assert_non_null(e);
		err_format(e, &text);
		err_free(e);
		assert_true(str_starts_with(text.data, "name 'amt/antrag:1': ref file"));
	}
	assert_ok(ref_parse(arena, "x", "sha256:" ZEROS " 5 a/b\n", 8 + 64 + 6, &ref));
	assert_int_equal(ref.size, 5);
	assert_string_equal(ref.media_type, "a/b");
}

static void test_a_name_stands_for_what_is_there_only(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_store struct image_store *s = NULL;
	auto_arena struct arena *arena = NULL;
	struct image_ref ref = { .name = "localhost/b:1", .size = 2, .media_type = OCI_MEDIA_MANIFEST };
	struct image_refs refs;

	dir_make(&d);
	assert_ok(arena_new(1 << 20, &arena));
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_ok(digest_of(DIGEST_SHA256, "{}", 2, &ref.digest));
	assert_err_code(image_store_tag(s, &ref), ENOENT);
	assert_ok(image_store_add_blob(s, "{}", 2, &ref.digest));
	assert_ok(image_store_tag(s, &ref));
	ref.name = "localhost/a:1";
	assert_ok(image_store_tag(s, &ref));
	/* A writer that was killed left this. */
	assert_ok(file_replace(image_store_fd(s), "refs/.half", "x", 1, 0600));
	assert_ok(image_store_refs(s, arena, &refs));
	assert_int_equal(refs.count, 2);
	assert_string_equal(refs.items[0].name, "localhost/a:1");
	assert_string_equal(refs.items[1].name, "localhost/b:1");
	assert_ok(image_store_untag(s, "localhost/a:1"));
	assert_err(image_store_untag(s, "localhost/a:1"), "no image is called 'localhost/a:1'");
	assert_err(image_store_ref(s, arena, "localhost/a:1", &refs.items[0]), "no image is called 'localhost/a:1'");
}

static void test_an_image_is_found_by_name_digest_and_the_begin_of_a_digest(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	auto_store struct image_store *s = NULL;
	auto_arena struct arena *arena = NULL;
	const struct image *image;
	char text[DIGEST_TEXT_MAX], hex[DIGEST_HEX_MAX];

	dir_make(&d);
	fake_init(&f, 3, OCI_GZIP);
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_ok(arena_new(1 << 24, &arena));
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	digest_hex(&f.manifest_digest, hex);
	hex[8] = '\0';
	const char *const texts[] = { FAKE_NAME, digest_text(&f.manifest_digest, text), hex };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_ok(image_resolve(s, arena, texts[i], NULL, &image));
		assert_true(digest_equal(&image->digest, &f.manifest_digest));
		assert_true(image->size > (int64_t)f.blobs[0].bytes.len);
	}
	assert_err_code(image_resolve(s, arena, "registry.example/amt/antrag:2", NULL, &image), ENOENT);
	assert_err_code(image_resolve(s, arena, "0123456789", NULL, &image), ENOENT);
	assert_err_code(image_resolve(s, arena, "sha256:../../etc", NULL, &image), EINVAL);
}

/* ---- layers made here ---- */

static err *add_tar(struct image_store *s, const struct str *tar, enum oci_compression compression,
		    struct oci_descriptor *ret, struct digest *ret_diff_id)
{
	auto_close int fd = -1;

	TRY(fd_sealed("tar", tar->data, tar->len, false, &fd));
	return image_store_add_layer(s, fd, compression, ret, ret_diff_id);
}

static void test_an_added_layer_is_there_compressed_and_plain_and_always_the_same(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_store struct image_store *s = NULL;
	auto_str struct str tar = STR_INIT(BLOB_MEMORY);

	dir_make(&d);
	fake_tar(&tar, 100, 3);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	for (enum oci_compression c = OCI_PLAIN; c <= OCI_ZSTD; c++) {
		struct oci_descriptor first, again;
		struct digest diff_id, diff_again, want;
		int64_t size;

		assert_ok(add_tar(s, &tar, c, &first, &diff_id));
		assert_ok(add_tar(s, &tar, c, &again, &diff_again));
		assert_ok(digest_of(DIGEST_SHA256, tar.data, tar.len, &want));
		assert_true(digest_equal(&diff_id, &want));
		assert_true(digest_equal(&first.digest, &again.digest));
		assert_int_equal(oci_media(first.media_type)->compression, c);
		assert_true(image_blob_exists(s, &first.digest));
		assert_ok(image_layer_size(s, &diff_id, &size));
		assert_true(size > (int64_t)tar.len);
	}
	assert_int_equal(entries(s, "ingest"), 0);
	assert_int_equal(entries(s, "layers/sha256"), 1);
	assert_int_equal(entries(s, "blobs/sha256"), 3);
	assert_clean(d.store);
}

/* ---- leases and gc ---- */

static void test_a_lease_has_one_holder_and_dies_with_it(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_store struct image_store *s = NULL;
	struct digest digest;
	int fd = -1, second = -1, status;

	dir_make(&d);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_ok(digest_of(DIGEST_SHA256, "{}", 2, &digest));
	assert_err_code(image_lease_take(s, "web", &digest, &fd), ENOENT);
	assert_ok(image_store_add_blob(s, "{}", 2, NULL));
	assert_ok(image_lease_take(s, "web", &digest, &fd));
	assert_err(image_lease_take(s, "web", &digest, &second), "lease 'web': is held by another process");
	fd_clear(&fd);
	/* A child that inherited the descriptor holds it on, until it is killed. */
	assert_ok(image_lease_take(s, "web", &digest, &fd));
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	fd_clear(&fd);
	assert_err_code(image_lease_take(s, "web", &digest, &second), EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_ok(image_lease_take(s, "web", &digest, &second));
	/* Taken again under the same name, it is not the old container's to drop. */
	assert_ok(image_lease_drop(s, "web"));
	assert_int_equal(faccessat(image_store_fd(s), "leases/web", F_OK, 0), 0);
	fd_clear(&second);
	static const char *const bad[] = { "", ".", "..", "../x", "a/b", ".hidden" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err_code(image_lease_take(s, bad[i], &digest, &fd), EINVAL);
	assert_ok(image_lease_drop(s, "web"));
	assert_int_equal(faccessat(image_store_fd(s), "leases/web", F_OK, 0), -1);
	assert_ok(image_lease_drop(s, "web"));
}

static void collect_garbage(const char *path, bool dry_run, struct image_gc_result *ret)
{
	auto_store struct image_store *s = NULL;
	const struct image_gc_options options = { .dry_run = dry_run };

	assert_ok(image_store_open(path, IMAGE_STORE_SWEEP, &s));
	assert_ok(image_gc(s, &options, ret));
}

static void untag(const char *path)
{
	auto_store struct image_store *s = NULL;

	assert_ok(image_store_open(path, IMAGE_STORE_SHARED, &s));
	assert_ok(image_store_untag(s, FAKE_NAME));
}

static void test_gc_keeps_what_names_and_leases_reach_and_removes_the_rest(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	struct image_gc_result result;
	struct image_store *s = NULL;
	int lease = -1;

	dir_make(&d);
	fake_init(&f, 3, OCI_GZIP);
	assert_ok(fake_pull(&f, d.store, NULL));
	collect_garbage(d.store, false, &result);
	assert_int_equal(result.blobs + result.layers + result.ingests + result.leases, 0);
	assert_clean(d.store);

	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_ok(image_lease_take(s, "antrag-1", &f.manifest_digest, &lease));
	image_store_free(s);
	untag(d.store);
	collect_garbage(d.store, false, &result);
	assert_int_equal(result.blobs + result.layers + result.leases, 0);

	fd_clear(&lease);
	collect_garbage(d.store, true, &result);
	assert_int_equal(result.blobs, 3);
	assert_int_equal(entries_at(d.store, "blobs/sha256"), 3);
	assert_int_equal(entries_at(d.store, "leases"), 1);
	collect_garbage(d.store, false, &result);
	assert_int_equal(result.blobs, 3);
	assert_int_equal(result.layers, 1);
	assert_int_equal(result.leases, 1);
	assert_true(result.bytes > 0);
	assert_int_equal(entries_at(d.store, "blobs/sha256"), 0);
	assert_int_equal(entries_at(d.store, "layers/sha256"), 0);
	assert_int_equal(entries_at(d.store, "leases"), 0);
	assert_int_equal(entries_at(d.store, "ingest"), 0);
}

static void test_gc_removes_what_killed_processes_left(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	struct image_gc_result result;

	dir_make(&d);
	fake_init(&f, 30, OCI_GZIP);
	f.cut_after = 2000;
	assert_err_code(fake_pull(&f, d.store, NULL), ECONNRESET);
	assert_int_equal(entries_at(d.store, "ingest"), 1);
	struct image_store *s = NULL;
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_int_equal(mkdirat(image_store_fd(s), "ingest/new-1-0", 0700), 0);
	assert_ok(file_replace(image_store_fd(s), "ingest/new-1-0/data.tar", "x", 1, 0600));
	assert_ok(file_replace(image_store_fd(s), "refs/.half", "x", 1, 0600));
	assert_ok(file_replace(image_store_fd(s), "blobs/sha256/.half", "x", 1, 0600));
	image_store_free(s);
	collect_garbage(d.store, false, &result);
	assert_int_equal(result.ingests, 2);
	assert_int_equal(entries_at(d.store, "ingest"), 0);
	assert_int_equal(entries_at(d.store, "refs"), 0);
	assert_int_equal(entries_at(d.store, "blobs/sha256"), 0);
}

/* An index that lists `of` so many times. */
static struct digest add_index(struct image_store *s, const struct digest *of, size_t times)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	char name[DIGEST_TEXT_MAX];
	struct digest digest;

	str_add(&text, "{\"schemaVersion\":2,\"manifests\":[");
	for (size_t i = 0; i < times; i++)
		str_addf(&text, "%s{\"mediaType\":\"" OCI_MEDIA_INDEX "\",\"digest\":\"%s\",\"size\":40}",
			 i ? "," : "", digest_text(of, name));
	str_add(&text, "]}");
	assert_ok(str_check(&text));
	assert_ok(image_store_add_blob(s, text.data, text.len, &digest));
	return digest;
}

static void test_gc_goes_once_through_what_indexes_list_a_thousand_times(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_store struct image_store *s = NULL;
	struct image_gc_result result;
	struct digest index;
	struct digest *const none = NULL;

	dir_make(&d);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	index = add_index(s, none, 0);
	for (size_t i = 0; i < 3; i++)
		index = add_index(s, &index, 2000);
	const struct image_ref ref = { .name = "a", .digest = index, .media_type = OCI_MEDIA_INDEX };
	assert_ok(image_store_tag(s, &ref));
	image_store_free(TAKE(s));
	collect_garbage(d.store, false, &result);
	assert_int_equal(result.blobs, 0);
}

static void test_gc_needs_the_store_for_itself(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_store struct image_store *s = NULL;
	struct image_gc_result result;

	dir_make(&d);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_err_code(image_gc(s, NULL, &result), EINVAL);
}

/* ---- fsck ---- */

static void damage(const char *store, const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", store, name);
	assert_int_equal(chmod(path, 0600), 0);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "\xff\xfe\xfd", 3, 1), 3);
}

static size_t check(const char *path, bool repair, struct str *problems)
{
	auto_store struct image_store *s = NULL;
	struct image_fsck_result result;

	str_clear(problems);
	assert_ok(image_store_open(path, repair ? IMAGE_STORE_SWEEP : IMAGE_STORE_SHARED, &s));
	assert_ok(image_fsck(s, repair, print_problem, problems, &result));
	return result.damaged;
}

static void test_fsck_finds_every_kind_of_damage_and_repair_lets_a_pull_heal_it(void **state)
{
	(void)state;
	auto_fake struct fake f;
	char hex[DIGEST_HEX_MAX], layer[128], blob[128];

	fake_init(&f, 3, OCI_GZIP);
	snprintf(layer, sizeof layer, "layers/sha256/%s", digest_hex(&f.diff_ids[0], hex));
	snprintf(blob, sizeof blob, "blobs/sha256/%s", digest_hex(&f.layers[0].digest, hex));
	static const struct { const char *file, *text; } rows[] = {
		{ NULL, "expected sha256:" },
		{ "data.tar", "expected sha256:" },
		{ "index.erofs", "'index.erofs' is not what 'data.tar' gives" },
		{ "meta", "'meta' is not what 'data.tar' gives" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_dir struct dir d;
		auto_str struct str problems = STR_INIT(1 << 16);
		char path[256];

		dir_make(&d);
		assert_ok(fake_pull(&f, d.store, NULL));
		snprintf(path, sizeof path, "%s%s%s", rows[i].file ? layer : blob, rows[i].file ? "/" : "",
			 rows[i].file ? rows[i].file : "");
		damage(d.store, path);
		assert_int_equal(check(d.store, false, &problems), 1);
		assert_non_null(strstr(problems.data, rows[i].text));
		assert_true(check(d.store, true, &problems) >= 1);
		assert_ok(fake_pull(&f, d.store, NULL));
		assert_int_equal(check(d.store, false, &problems), 0);
	}
}

static void test_fsck_follows_names_to_what_is_missing(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	auto_str struct str problems = STR_INIT(1 << 16);
	auto_store struct image_store *s = NULL;
	char hex[DIGEST_HEX_MAX], path[256];

	dir_make(&d);
	fake_init(&f, 3, OCI_GZIP);
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_ok(file_replace(image_store_fd(s), "refs/localhost%2Fbroken:1", "rubbish\n", 8, 0600));
	snprintf(path, sizeof path, "blobs/sha256/%s", digest_hex(&f.manifest_digest, hex));
	assert_int_equal(unlinkat(image_store_fd(s), path, 0), 0);
	image_store_free(TAKE(s));
	assert_int_equal(check(d.store, false, &problems), 2);
	assert_non_null(strstr(problems.data, "image '" FAKE_NAME "': sha256:"));
	assert_non_null(strstr(problems.data, "is missing"));
	assert_non_null(strstr(problems.data, "name 'localhost/broken:1': ref file is damaged"));
	assert_int_equal(check(d.store, true, &problems), 2);
	assert_int_equal(entries_at(d.store, "refs"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_place_is_the_option_then_the_environment_then_the_users_own),
		cmocka_unit_test(test_a_new_store_has_its_version_and_nobody_else_may_look),
		cmocka_unit_test(test_many_processes_may_make_the_same_store_at_once),
		cmocka_unit_test(test_a_directory_with_other_things_is_refused_and_left_alone),
		cmocka_unit_test(test_a_newer_or_damaged_version_is_refused),
		cmocka_unit_test(test_a_sweep_waits_for_those_who_use_the_store),
		cmocka_unit_test(test_names_become_file_names_and_back),
		cmocka_unit_test(test_file_names_that_no_name_has_are_refused),
		cmocka_unit_test(test_a_damaged_ref_file_is_an_error_that_names_it),
		cmocka_unit_test(test_a_name_stands_for_what_is_there_only),
		cmocka_unit_test(test_an_image_is_found_by_name_digest_and_the_begin_of_a_digest),
		cmocka_unit_test(test_an_added_layer_is_there_compressed_and_plain_and_always_the_same),
		cmocka_unit_test(test_a_lease_has_one_holder_and_dies_with_it),
		cmocka_unit_test(test_gc_keeps_what_names_and_leases_reach_and_removes_the_rest),
		cmocka_unit_test(test_gc_removes_what_killed_processes_left),
		cmocka_unit_test(test_gc_goes_once_through_what_indexes_list_a_thousand_times),
		cmocka_unit_test(test_gc_needs_the_store_for_itself),
		cmocka_unit_test(test_fsck_finds_every_kind_of_damage_and_repair_lets_a_pull_heal_it),
		cmocka_unit_test(test_fsck_follows_names_to_what_is_missing),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
