/* images/pack-image.c: a packed layer, its config and its manifest, put into the store. */
#include "images/pack.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "oci/image.h"

/* The writing end of the pipe through which the store reads the tar. */
struct producer {
	const struct pack_options *options;
	const char *name;
	int source_fd, pipe_fd;
	int64_t created;
	err *failure;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	sigset_t pipe_signal;

	/* The store may stop reading; write(2) then says EPIPE, and that is enough. */
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
	p->failure = pack_layer(p->source_fd, p->name, p->options, p->pipe_fd, &p->created);
	fd_clear(&p->pipe_fd);
	return NULL;
}

/* A failed packer closes the pipe early, which the store takes for the end: whether the layer is whole is
 * known only afterwards. Until a manifest names it, gc may take it. */
static err *add_layer(struct image_store *store, struct producer *p, enum oci_compression compression,
		      struct oci_descriptor *ret_layer, struct digest *ret_diff_id)
{
	pthread_t thread;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("make pipe");
	p->pipe_fd = ends[1];
	int code = pthread_create(&thread, NULL, produce, p);
	if (code) {
		fd_close(ends[0]);
		fd_close(ends[1]);
		return err_code(code, "start thread");
	}
	err *failure = image_store_add_layer(store, ends[0], compression, ret_layer, ret_diff_id);
	fd_close(ends[0]);
	pthread_join(thread, NULL);
	/* Of both, the one that is not a mere consequence of the other. */
	if (p->failure && (!failure || p->failure->code != EPIPE)) {
		err_free(failure);
		return TAKE(p->failure);
	}
	err_free(p->failure);
	return failure;
}

static err *add_manifest(struct image_store *store, const struct str *config,
			 const struct oci_descriptor *layer, struct image_ref *ret)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	struct oci_descriptor layers[1] = { *layer };
	struct oci_manifest manifest = {
		.schema_version = 2,
		.media_type = OCI_MEDIA_MANIFEST,
		.config = { .media_type = OCI_MEDIA_CONFIG, .size = (int64_t)config->len },
		.layers = { layers, 1 },
	};

	TRY(image_store_add_blob(store, config->data, config->len, &manifest.config.digest));
	oci_manifest_encode(&text, &manifest);
	TRY(str_check(&text));
	ret->media_type = OCI_MEDIA_MANIFEST;
	ret->size = (int64_t)text.len;
	return image_store_add_blob(store, text.data, text.len, &ret->digest);
}

/* A single file that is no script needs no words of its own to be run. */
static err *default_entrypoint(int source_fd, const char *name, const struct pack_options *options,
			       const struct pack_config *config, struct strv *out)
{
	char path[PATH_MAX];
	struct stat st;

	if (fstat(source_fd, &st) < 0)
		return err_errno("stat source");
	if (!S_ISREG(st.st_mode) || (config->entrypoint && config->entrypoint->count))
		return NULL;
	if (!path_clean(options->binary_path ? options->binary_path : name, path, sizeof path))
		return err_new(ENAMETOOLONG, "'%s'", name);
	strv_add(out, path);
	return strv_check(out);
}

err *image_pack(struct image_store *store, int source_fd, const char *source_name,
		const struct pack_options *options, const struct pack_config *config,
		enum oci_compression compression, const char *name, struct image_ref *ret)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	auto_strv struct strv entrypoint = STRV_INIT(1);
	struct producer p = { .options = options, .name = source_name, .source_fd = source_fd, .pipe_fd = -1 };
	struct pack_config full = *config;
	struct image_ref ref = { .name = name };
	struct oci_descriptor layer = { 0 };
	struct digest diff_id = { 0 };

	TRY(default_entrypoint(source_fd, source_name, options, config, &entrypoint));
	if (entrypoint.count)
		full.entrypoint = &entrypoint;
	/* Wrong options are told before the work, not after it. */
	TRY(digest_of(DIGEST_SHA256, "", 0, &diff_id));
	TRY(pack_config_encode(&full, 0, &diff_id, &text));
	str_clear(&text);
	TRY(add_layer(store, &p, compression, &layer, &diff_id));
	TRY(pack_config_encode(&full, p.created, &diff_id, &text));
	TRY(add_manifest(store, &text, &layer, &ref));
	TRY(image_store_tag(store, &ref));
	*ret = ref;
	return NULL;
}
