/* tests/registry/driver.c: the registry client as a command line, for tests without an image store.
 *
 * driver [-i HOST] [-c CERTS_DIR] [-a AUTH_FILE] [-u NAME:PASSWORD] [-t TRIES] [-s STALL_SECONDS] COMMAND REF ...
 *   get-manifest REF | head REF | put-manifest REF TYPE FILE | delete REF | tags REF | explain REF
 *   get-blob REF DIGEST SIZE [PART]   appends to PART, whose bytes count as received; else to stdout
 *   put-blob REF FILE [CHUNK|0 [MOUNT_FROM]] | exists REF DIGEST | delete-blob REF DIGEST
 *   get-blobs REF FILE                lines "DIGEST SIZE", each in a thread of its own
 *   login HOST | store HOST NAME PASSWORD | erase HOST */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "registry/auth.h"
#include "registry/client.h"

static const char *auth_file;
static struct registry *registry;

static err *to_fd(const void *bytes, size_t len, void *user)
{
	return fd_write_all(*(int *)user, bytes, len);
}

static err *reference(char **argv, struct reference *ref)
{
	return reference_parse(argv[0], NULL, ref);
}

static err *get_manifest(char **argv, int argc UNUSED)
{
	struct reference ref;
	char digest[DIGEST_TEXT_MAX];
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	TRY(reference(argv, &ref));
	TRY(registry_manifest_get(registry, &ref, &m));
	fprintf(stderr, "%s %s\n", m.media_type, digest_text(&m.digest, digest));
	return fd_write_all(STDOUT_FILENO, m.text.data, m.text.len);
}

static err *head(char **argv, int argc UNUSED)
{
	struct reference ref;
	struct digest digest;
	bool exists;
	uint64_t size;
	char text[DIGEST_TEXT_MAX];
	TRY(reference(argv, &ref));
	TRY(registry_manifest_head(registry, &ref, &exists, &digest, &size));
	printf("%s %s %llu\n", exists ? "yes" : "no", digest_is_set(&digest) ? digest_text(&digest, text) : "-",
	       (unsigned long long)size);
	return NULL;
}

static err *put_manifest(char **argv, int argc UNUSED)
{
	struct reference ref;
	struct digest digest;
	char text[DIGEST_TEXT_MAX];
	auto_str struct str bytes = STR_INIT(REGISTRY_MANIFEST_MAX);
	TRY(reference(argv, &ref));
	TRY(file_read(AT_FDCWD, argv[2], &bytes));
	TRY(registry_manifest_put(registry, &ref, argv[1], bytes.data, bytes.len, &digest));
	puts(digest_text(&digest, text));
	return NULL;
}

static err *delete(char **argv, int argc UNUSED)
{
	struct reference ref;
	TRY(reference(argv, &ref));
	return registry_manifest_delete(registry, &ref);
}

static err *tags(char **argv, int argc UNUSED)
{
	struct reference ref;
	auto_strv struct strv list = STRV_INIT(REGISTRY_TAGS_MAX);
	TRY(reference(argv, &ref));
	TRY(registry_tags(registry, &ref, &list));
	for (size_t i = 0; i < list.count; i++)
		puts(list.items[i]);
	return NULL;
}

static err *explain(char **argv, int argc UNUSED)
{
	struct reference ref;
	auto_str struct str out = STR_INIT(65536);
	TRY(reference(argv, &ref));
	TRY(registry_explain(registry, &ref, &out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

static err *want_blob(const char *digest, const char *size, struct blob_want *want)
{
	TRY(digest_parse(digest, &want->digest));
	return str_to_u64(size, &want->size) ? NULL : err_new(EINVAL, "size '%s'", size);
}

static err *hash_part(int fd, struct blob_want *want)
{
	char buf[65536];
	ssize_t n;
	TRY(hasher_expect(want->hasher, &want->digest, (int64_t)want->size));
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		TRY(hasher_add(want->hasher, buf, (size_t)n));
		want->offset += (uint64_t)n;
	}
	return n < 0 ? err_errno("part") : NULL;
}

static err *get_blob(char **argv, int argc)
{
	struct reference ref;
	auto_hasher struct hasher *hasher = NULL;
	auto_close int part = -1;
	int out = STDOUT_FILENO;
	struct blob_want want = { .sink = to_fd, .user = &out };
	TRY(reference(argv, &ref));
	TRY(want_blob(argv[1], argv[2], &want));
	if (argc > 3) {
		out = part = open(argv[3], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		TRY(hasher_new(&hasher));
		want.hasher = hasher;
		TRY(hash_part(part, &want));
	}
	return registry_blob_get(registry, &ref, &want);
}

/* ---- several at once ---- */

struct job {
	pthread_t thread;
	struct reference ref;
	struct blob_want want;
	err *e;
};

static err *drop(const void *bytes UNUSED, size_t len UNUSED, void *user UNUSED)
{
	return NULL;
}

static void *job_run(void *arg)
{
	struct job *j = arg;
	j->e = registry_blob_get(registry, &j->ref, &j->want);
	return NULL;
}

static err *get_blobs(char **argv, int argc UNUSED)
{
	struct job jobs[64];
	size_t count = 0;
	char digest[200], size[30];
	err *e = NULL;
	FILE *f = fopen(argv[1], "re");
	if (!f)
		return err_errno("'%s'", argv[1]);
	while (count < ARRAY_LEN(jobs) && fscanf(f, "%199s %29s", digest, size) == 2) {
		struct job *j = &jobs[count++];
		*j = (struct job){ .want.sink = drop };
		TRY(reference(argv, &j->ref));
		TRY(want_blob(digest, size, &j->want));
		pthread_create(&j->thread, NULL, job_run, j);
	}
	fclose(f);
	for (size_t i = 0; i < count; i++) {
		pthread_join(jobs[i].thread, NULL);
		if (e)
			err_free(jobs[i].e);
		else
			e = jobs[i].e;
	}
	printf("%zu\n", count);
	return e;
}

static err *put_blob(char **argv, int argc)
{
	static const char *const words[] = { "existed", "mounted", "uploaded" };
	struct reference ref;
	auto_str struct str bytes = STR_INIT(1u << 30);
	auto_close int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	struct blob_offer offer = { .fd = fd, .mount_from = argc > 3 ? argv[3] : NULL };
	enum blob_put_result result;
	char text[DIGEST_TEXT_MAX];
	TRY(reference(argv, &ref));
	TRY(file_read(AT_FDCWD, argv[1], &bytes));
	TRY(digest_of(DIGEST_SHA256, bytes.data, bytes.len, &offer.digest));
	offer.size = bytes.len;
	if (argc > 2 && !str_to_u64(argv[2], &offer.chunk))
		return err_new(EINVAL, "chunk '%s'", argv[2]);
	TRY(registry_blob_put(registry, &ref, &offer, &result));
	printf("%s %s %llu\n", words[result], digest_text(&offer.digest, text), (unsigned long long)offer.size);
	return NULL;
}

static err *exists(char **argv, int argc UNUSED)
{
	struct reference ref;
	struct digest digest;
	bool there;
	TRY(reference(argv, &ref));
	TRY(digest_parse(argv[1], &digest));
	TRY(registry_blob_exists(registry, &ref, &digest, &there));
	puts(there ? "yes" : "no");
	return NULL;
}

static err *delete_blob(char **argv, int argc UNUSED)
{
	struct reference ref;
	struct digest digest;
	TRY(reference(argv, &ref));
	TRY(digest_parse(argv[1], &digest));
	return registry_blob_delete(registry, &ref, &digest);
}

static err *login(char **argv, int argc UNUSED)
{
	return registry_check_login(registry, argv[0]);
}

static err *store(char **argv, int argc UNUSED)
{
	auto_free char *where = NULL;
	TRY(auth_store(auth_file, argv[0], argv[1], argv[2], &where));
	puts(where);
	return NULL;
}

static err *erase(char **argv, int argc UNUSED)
{
	auto_free char *where = NULL;
	TRY(auth_erase(auth_file, argv[0], &where));
	puts(where);
	return NULL;
}

static const struct {
	const char *name;
	int operands;
	err *(*run)(char **argv, int argc);
} commands[] = {
	{ "get-manifest", 1, get_manifest }, { "head", 1, head },
	{ "put-manifest", 3, put_manifest }, { "delete", 1, delete },
	{ "tags", 1, tags },                 { "explain", 1, explain },
	{ "get-blob", 3, get_blob },         { "get-blobs", 2, get_blobs },
	{ "put-blob", 2, put_blob },         { "exists", 2, exists },
	{ "delete-blob", 2, delete_blob },   { "login", 1, login },
	{ "store", 3, store },               { "erase", 1, erase },
};

static void notice(const char *text, void *user UNUSED)
{
	fprintf(stderr, "notice: %s\n", text);
}

static err *run(int argc, char **argv)
{
	const char *insecure[2] = { 0 }, *certs[2] = { 0 };
	struct registry_options o = { .notice = notice };
	int c;
	while ((c = getopt(argc, argv, "i:c:a:u:t:s:")) != -1) {
		uint64_t number;
		char *colon;
		switch (c) {
		case 'i':
			insecure[0] = optarg;
			o.insecure = insecure;
			break;
		case 'c':
			certs[0] = optarg;
			o.certs_dirs = certs;
			break;
		case 'a':
			auth_file = o.auth_file = optarg;
			break;
		case 'u':
			colon = strchr(optarg, ':');
			if (!colon)
				return err_new(EINVAL, "-u NAME:PASSWORD");
			*colon = 0;
			o.username = optarg;
			o.password = colon + 1;
			break;
		case 't':
			if (!str_to_u64(optarg, &number))
				return err_new(EINVAL, "-t NUMBER");
			o.tries = (unsigned)number;
			break;
		case 's':
			if (!str_to_u64(optarg, &number))
				return err_new(EINVAL, "-s SECONDS");
			o.stall_timeout = (int64_t)number * 1000000000;
			break;
		default:
			return err_new(EINVAL, "unknown option");
		}
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc > 0 && i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, argv[0]) && argc - 1 >= commands[i].operands) {
			TRY(registry_new(&o, &registry));
			err *e = commands[i].run(argv + 1, argc - 1);
			registry_free(registry);
			return e;
		}
	return err_new(EINVAL, "unknown command, or too few operands");
}

int main(int argc, char **argv)
{
	auto_err err *e = run(argc, argv);
	if (!e)
		return 0;
	auto_str struct str text = STR_INIT(65536);
	err_format(e, &text);
	const char *hint = err_first_hint(e);
	fprintf(stderr, "error %d: %s\n", e->code, text.data);
	if (hint)
		fprintf(stderr, "hint: %s\n", hint);
	return 1;
}
