/* tests/unit/images/pull_test.c: what a pull makes visible is right, whatever the source, other pulls and kill -9
 * do. */
#include "tests/unit/images/fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "images/layer.h"

static void assert_pulled(const char *path, struct fake *f)
{
	auto_store struct image_store *s = NULL;
	auto_arena struct arena *arena = NULL;
	const struct image *image;

	assert_ok(image_store_open(path, IMAGE_STORE_SHARED, &s));
	assert_ok(arena_new(1 << 24, &arena));
	assert_ok(image_resolve(s, arena, FAKE_NAME, NULL, &image));
	assert_true(digest_equal(&image->digest, &f->manifest_digest));
	assert_int_equal(image->config->rootfs.diff_ids.count, f->layer_count);
	assert_string_equal(image->config->config.cmd.items[0], "/antrag");
	assert_int_equal(entries(s, "ingest"), 0);
	assert_clean(path);
}

static void test_a_pulled_image_has_its_layers_blobs_and_name(void **state)
{
	(void)state;
	static const enum oci_compression all[] = { OCI_PLAIN, OCI_GZIP, OCI_ZSTD };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		auto_dir struct dir d;
		auto_fake struct fake f;

		dir_make(&d);
		fake_init(&f, 100, all[i]);
		assert_ok(fake_pull(&f, d.store, NULL));
		assert_pulled(d.store, &f);
	}
}

static void test_a_second_pull_fetches_no_blob(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;

	dir_make(&d);
	fake_init(&f, 10, OCI_GZIP);
	assert_ok(fake_pull(&f, d.store, NULL));
	f.blob_calls = 0;
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_int_equal(f.blob_calls, 0);
}

static void test_several_layers_and_repeated_ones_come_in_one_pull(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f = { .manifest = STR_INIT(1 << 20) };

	dir_make(&d);
	for (uint32_t i = 0; i < 3; i++) {
		auto_str struct str tar = STR_INIT(BLOB_MEMORY);

		fake_tar(&tar, 20, i == 2 ? 0 : i); /* the third is the first again */
		fake_layer(&f, &tar, i == 1 ? OCI_ZSTD : OCI_GZIP);
	}
	fake_image(&f);
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_pulled(d.store, &f);
	assert_int_equal(f.blob_calls, 3); /* two layers, the config */
	assert_int_equal(entries_at(d.store, "layers/sha256"), 2);
}

static void test_two_blobs_of_one_layer_give_one_directory(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f = { .manifest = STR_INIT(1 << 20) };
	auto_str struct str tar = STR_INIT(BLOB_MEMORY);

	dir_make(&d);
	fake_tar(&tar, 20, 7);
	fake_layer(&f, &tar, OCI_GZIP);
	fake_layer(&f, &tar, OCI_ZSTD);
	fake_image(&f);
	f.pause_usec = 100; /* so that both are under way at once */
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_pulled(d.store, &f);
	assert_int_equal(entries_at(d.store, "layers/sha256"), 1);
}

/* Nothing visible, nothing left: what was wrong is not kept for a resume. */
static void assert_refused(const char *path)
{
	auto_store struct image_store *s = NULL;

	assert_ok(image_store_open(path, IMAGE_STORE_SHARED, &s));
	assert_int_equal(entries(s, "refs"), 0);
	assert_int_equal(entries(s, "blobs/sha256"), 0);
	assert_int_equal(entries(s, "layers/sha256"), 0);
	assert_int_equal(entries(s, "ingest"), 0);
}

static void test_a_changed_byte_anywhere_is_refused(void **state)
{
	(void)state;
	auto_fake struct fake f;

	fake_init(&f, 1, OCI_GZIP);
	for (uint64_t at = 1; at <= (uint64_t)f.layers[0].size; at += 97) {
		auto_dir struct dir d;

		dir_make(&d);
		f.corrupt_at = at;
		/* The config is shorter; it must be whole for the layer to be asked for. */
		if (at <= f.blobs[1].bytes.len)
			continue;
		assert_err_code(fake_pull(&f, d.store, NULL), EBADMSG);
		assert_refused(d.store);
		f.corrupt_at = 0;
		assert_ok(fake_pull(&f, d.store, NULL));
		assert_pulled(d.store, &f);
	}
}

static void test_a_layer_that_is_not_its_diff_id_is_refused(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f = { .manifest = STR_INIT(1 << 20) };
	auto_str struct str tar = STR_INIT(BLOB_MEMORY);
	auto_str struct str text = STR_INIT(4096);
	struct image_store *s = NULL;

	dir_make(&d);
	fake_tar(&tar, 5, 7);
	fake_layer(&f, &tar, OCI_GZIP);
	f.diff_ids[0].bytes[31] ^= 1;
	fake_image(&f);
	err *e = fake_pull(&f, d.store, NULL);
	err_format(e, &text);
	err_free(e);
	assert_non_null(strstr(text.data, "unpacked layer: expected sha256:"));
	assert_refused(d.store);
	image_store_free(s);
}

static void test_a_config_with_another_number_of_layers_is_refused_before_any_layer(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f = { .manifest = STR_INIT(1 << 20) };
	auto_str struct str tar = STR_INIT(BLOB_MEMORY);

	dir_make(&d);
	fake_tar(&tar, 5, 7);
	fake_layer(&f, &tar, OCI_GZIP);
	fake_image(&f);
	/* The same config, but a manifest that lists the layer twice. */
	auto_str struct str doubled = STR_INIT(1 << 20);
	char *list = strstr(f.manifest.data, "\"layers\":[") + 10;
	str_add_bytes(&doubled, f.manifest.data, (size_t)(list - f.manifest.data));
	fake_descriptor(&doubled, &f.layers[0]);
	str_addf(&doubled, ",%s", list);
	str_clear(&f.manifest);
	str_add(&f.manifest, doubled.data);
	assert_ok(digest_of(DIGEST_SHA256, f.manifest.data, f.manifest.len, &f.manifest_digest));
	assert_err_code(fake_pull(&f, d.store, NULL), EINVAL);
	assert_int_equal(f.blob_calls, 1);
	assert_refused(d.store);
}

static void test_garbage_and_cut_streams_with_right_digests_are_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		auto_dir struct dir d;
		auto_fake struct fake f = { .manifest = STR_INIT(1 << 20) };
		auto_str struct str tar = STR_INIT(BLOB_MEMORY);

		dir_make(&d);
		fake_tar(&tar, 50, 7);
		fake_layer(&f, &tar, i == 2 ? OCI_ZSTD : OCI_GZIP);
		struct fake_blob *b = &f.blobs[0];
		if (i == 0)
			memset(b->bytes.data, 'x', b->bytes.len);
		else
			b->bytes.len /= 2;
		assert_ok(digest_of(DIGEST_SHA256, b->bytes.data, b->bytes.len, &b->digest));
		f.layers[0].digest = b->digest;
		f.layers[0].size = (int64_t)b->bytes.len;
		fake_image(&f);
		assert_err_code(fake_pull(&f, d.store, NULL), EBADMSG);
		assert_refused(d.store);
	}
}

static void test_a_bomb_stops_early_and_leaves_nothing(void **state)
{
	(void)state;
	const struct image_limits limits = { .layer_bytes = 1 << 20, .layer_ratio = 10 };
	const struct image_pull_options options = { .limits = &limits };

	for (enum oci_compression c = OCI_GZIP; c <= OCI_ZSTD; c++) {
		auto_dir struct dir d;
		auto_fake struct fake f = { .manifest = STR_INIT(1 << 20) };
		auto_str struct str zeros = STR_INIT(32 << 20);

		dir_make(&d);
		memset(str_room(&zeros, 32 << 20), 0, 32 << 20);
		str_grown(&zeros, 32 << 20);
		fake_layer(&f, &zeros, c);
		fake_image(&f);
		assert_err_code(fake_pull(&f, d.store, &options), EFBIG);
		assert_refused(d.store);
	}
}

static void test_a_broken_connection_is_resumed_at_every_offset(void **state)
{
	(void)state;
	auto_fake struct fake f;

	fake_init(&f, 1, OCI_ZSTD);
	uint64_t size = (uint64_t)f.layers[0].size;
	f.piece = 100;
	for (uint64_t cut = MAX(f.blobs[1].bytes.len, 1) + 1; cut < size; cut += 61) {
		auto_dir struct dir d;

		dir_make(&d);
		f.cut_after = cut;
		assert_err_code(fake_pull(&f, d.store, NULL), ECONNRESET);
		assert_int_equal(entries_at(d.store, "refs"), 0);
		assert_int_equal(entries_at(d.store, "ingest"), 1);
		f.cut_after = 0;
		f.sent = 0;
		assert_ok(fake_pull(&f, d.store, NULL));
		assert_int_equal(f.last_offset, cut);
		assert_int_equal(f.sent, size - cut + f.blobs[1].bytes.len);
		assert_pulled(d.store, &f);
	}
}

static void test_a_damaged_part_is_fetched_again_in_the_same_pull(void **state)
{
	(void)state;
	static const char *const damages[] = { "middle", "whole", "too long" };

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		auto_dir struct dir d;
		auto_fake struct fake f;
		char path[256], name[DIGEST_TEXT_MAX];
		auto_free char *junk = calloc(1, 1 << 20);

		dir_make(&d);
		fake_init(&f, 3, OCI_GZIP);
		size_t size = (size_t)f.layers[0].size;
		assert_int_equal(entries_at(d.store, "ingest"), 0);
		size_t len = i == 0 ? size / 2 : i == 1 ? size : size + 5;
		snprintf(path, sizeof path, "%s/ingest/%s", d.store, digest_file_name(&f.layers[0].digest, name));
		assert_ok(file_replace(AT_FDCWD, path, junk, len, 0600));
		assert_ok(fake_pull(&f, d.store, NULL));
		assert_pulled(d.store, &f);
	}
}

static void test_a_complete_part_needs_no_source(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	char path[256], name[DIGEST_TEXT_MAX];

	dir_make(&d);
	fake_init(&f, 3, OCI_GZIP);
	assert_int_equal(entries_at(d.store, "ingest"), 0);
	snprintf(path, sizeof path, "%s/ingest/%s", d.store, digest_file_name(&f.layers[0].digest, name));
	assert_ok(file_replace(AT_FDCWD, path, f.blobs[0].bytes.data, f.blobs[0].bytes.len, 0600));
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_int_equal(f.blob_calls, 1); /* the config */
	assert_pulled(d.store, &f);
}

static void test_a_blob_without_layer_is_unpacked_from_disk(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	char path[256], hex[DIGEST_HEX_MAX];

	dir_make(&d);
	fake_init(&f, 3, OCI_GZIP);
	assert_ok(fake_pull(&f, d.store, NULL));
	snprintf(path, sizeof path, "%s/layers/sha256", d.store);
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(fd, digest_hex(&f.diff_ids[0], hex)));
	f.blob_calls = 0;
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_int_equal(f.blob_calls, 0);
	assert_pulled(d.store, &f);
}

static void test_discarded_blobs_leave_the_layer_alone(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	const struct image_pull_options discard = { .discard_blobs = true };

	dir_make(&d);
	fake_init(&f, 3, OCI_GZIP);
	assert_ok(fake_pull(&f, d.store, &discard));
	assert_int_equal(entries_at(d.store, "blobs/sha256"), 2); /* config, manifest */
	assert_int_equal(entries_at(d.store, "layers/sha256"), 1);
	f.blob_calls = 0;
	assert_ok(fake_pull(&f, d.store, &discard));
	assert_int_equal(f.blob_calls, 0);
	/* With blobs again: fetched, not unpacked a second time. */
	assert_ok(fake_pull(&f, d.store, NULL));
	assert_int_equal(f.blob_calls, 1);
	assert_pulled(d.store, &f);
}

static void test_an_index_gives_the_platform_that_was_asked_for(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	auto_str struct str index = STR_INIT(1 << 20);
	auto_store struct image_store *s = NULL;
	auto_arena struct arena *arena = NULL;
	const struct oci_platform mips = { .os = "linux", .architecture = "mips64" };
	const struct image_pull_options for_mips = { .platform = &mips };
	struct image_pull_result result;
	const struct image *image;
	char text[DIGEST_TEXT_MAX];

	dir_make(&d);
	fake_init(&f, 3, OCI_GZIP);
	const struct digest manifest = f.manifest_digest;
	struct fake_blob *b = fake_add(&f, f.manifest.data, f.manifest.len);
	str_addf(&index, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_INDEX "\",\"manifests\":[{\"mediaType\":\""
		 OCI_MEDIA_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\","
		 "\"architecture\":\"%s\"}}]}", digest_text(&b->digest, text), b->bytes.len,
		 oci_platform_host()->architecture);
	str_clear(&f.manifest);
	str_add(&f.manifest, index.data);
	snprintf(f.media_type, sizeof f.media_type, "%s", OCI_MEDIA_INDEX);
	assert_ok(digest_of(DIGEST_SHA256, index.data, index.len, &f.manifest_digest));

	const struct image_source source = fake_source(&f);
	assert_ok(image_store_open(d.store, IMAGE_STORE_SHARED, &s));
	assert_err_code(image_pull(s, &source, FAKE_NAME, NULL, &for_mips, &result), ENOENT);
	assert_ok(image_pull(s, &source, FAKE_NAME, NULL, NULL, &result));
	assert_true(digest_equal(&result.target, &f.manifest_digest));
	assert_true(digest_equal(&result.manifest, &manifest));
	assert_ok(arena_new(1 << 24, &arena));
	assert_ok(image_resolve(s, arena, FAKE_NAME, NULL, &image));
	assert_true(digest_equal(&image->digest, &manifest));
	assert_true(digest_equal(&image->target, &f.manifest_digest));
	assert_err_code(image_resolve(s, arena, FAKE_NAME, &mips, &image), ENOENT);
	/* Pinned to a digest that the source does not give. */
	struct digest wrong = f.manifest_digest;
	wrong.bytes[0] ^= 1;
	assert_err_code(image_pull(s, &source, FAKE_NAME, &wrong, NULL, &result), EBADMSG);
}

/* ---- several processes ---- */

static pid_t pull_in_child(struct fake *f, const char *path)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		err *e = fake_pull(f, path, NULL);
		auto_str struct str text = STR_INIT(4096);

		err_format(e, &text);
		if (e)
			fprintf(stderr, "%s\n", text.data);
		/* How often this process asked for a blob tells the parent who fetched. */
		_exit(e ? 100 : (int)f->blob_calls);
	}
	return pid;
}

static void test_of_two_pulls_at_once_one_fetches(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	pid_t pids[4];
	int calls = 0;

	dir_make(&d);
	fake_init(&f, 40, OCI_GZIP);
	f.pause_usec = 300;
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		pids[i] = pull_in_child(&f, d.store);
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 100);
		calls += WEXITSTATUS(status);
	}
	/* Each reads the small config, unless it is there; one fetches the layer. */
	assert_in_range(calls, 2, ARRAY_LEN(pids) + 1);
	assert_pulled(d.store, &f);
}

static void test_kill_9_at_any_moment_leaves_nothing_that_the_next_pull_does_not_adopt(void **state)
{
	(void)state;
	auto_fake struct fake f;
	uint32_t seed = (uint32_t)time(NULL);
	unsigned killed = 0;

	fake_init(&f, 60, OCI_GZIP);
	f.pause_usec = 30;
	for (unsigned round = 0; round < 25; round++) {
		auto_dir struct dir d;

		dir_make(&d);
		for (unsigned i = 0; i < 3; i++) {
			pid_t pid = pull_in_child(&f, d.store);
			int status;

			seed = seed * 1664525 + 1013904223;
			usleep((seed >> 16) % 20000);
			kill(pid, SIGKILL);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			killed += WIFSIGNALED(status);
			assert_clean(d.store);
		}
		assert_ok(fake_pull(&f, d.store, NULL));
		assert_pulled(d.store, &f);
	}
	assert_true(killed > 10);
}

static void test_a_cancelled_pull_ends_and_its_part_is_kept(void **state)
{
	(void)state;
	auto_dir struct dir d;
	auto_fake struct fake f;
	atomic_bool cancel = true;
	const struct image_pull_options options = { .cancel = &cancel };

	dir_make(&d);
	fake_init(&f, 60, OCI_GZIP);
	assert_err_code(fake_pull(&f, d.store, &options), ECANCELED);
	assert_int_equal(entries_at(d.store, "refs"), 0);
	cancel = false;
	assert_ok(fake_pull(&f, d.store, &options));
	assert_pulled(d.store, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pulled_image_has_its_layers_blobs_and_name),
		cmocka_unit_test(test_a_second_pull_fetches_no_blob),
		cmocka_unit_test(test_several_layers_and_repeated_ones_come_in_one_pull),
		cmocka_unit_test(test_two_blobs_of_one_layer_give_one_directory),
		cmocka_unit_test(test_a_changed_byte_anywhere_is_refused),
		cmocka_unit_test(test_a_layer_that_is_not_its_diff_id_is_refused),
		cmocka_unit_test(test_a_config_with_another_number_of_layers_is_refused_before_any_layer),
		cmocka_unit_test(test_garbage_and_cut_streams_with_right_digests_are_refused),
		cmocka_unit_test(test_a_bomb_stops_early_and_leaves_nothing),
		cmocka_unit_test(test_a_broken_connection_is_resumed_at_every_offset),
		cmocka_unit_test(test_a_damaged_part_is_fetched_again_in_the_same_pull),
		cmocka_unit_test(test_a_complete_part_needs_no_source),
		cmocka_unit_test(test_a_blob_without_layer_is_unpacked_from_disk),
		cmocka_unit_test(test_discarded_blobs_leave_the_layer_alone),
		cmocka_unit_test(test_an_index_gives_the_platform_that_was_asked_for),
		cmocka_unit_test(test_of_two_pulls_at_once_one_fetches),
		cmocka_unit_test(test_kill_9_at_any_moment_leaves_nothing_that_the_next_pull_does_not_adopt),
		cmocka_unit_test(test_a_cancelled_pull_ends_and_its_part_is_kept),
	};

	return cmocka_run_group_tests_name("pull", tests, NULL, NULL);
}
