/* images/ingest.c: the part of a blob that is here already, owned through its flock. */
#include "images/ingest-internal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

/* A waiting thread must notice a cancelled pull, which no lock call can; so it looks this often. */
#define WAIT_NSEC (20 * 1000 * 1000)

/* Ask for write-back in steps of this many bytes. */
#define WRITEBACK_STEP (8u << 20)

static err *lock(int fd, const atomic_bool *cancel, void (*waiting)(void *arg), void *arg)
{
	const struct timespec pause = { .tv_nsec = WAIT_NSEC };
	bool told = false;

	for (;;) {
		bool held;

		TRY(store_flock(fd, LOCK_EX | LOCK_NB, &held));
		if (!held)
			return NULL;
		if (cancel && atomic_load(cancel))
			return err_new(ECANCELED, "cancelled");
		if (!told && waiting)
			waiting(arg);
		told = true;
		nanosleep(&pause, NULL);
	}
}

err *ingest_open(struct image_store *s, const struct digest *digest, const atomic_bool *cancel,
		 void (*waiting)(void *arg), void *arg, struct ingest *ret)
{
	char name[DIGEST_TEXT_MAX];
	auto_ingest struct ingest i = INGEST_INIT;

	i.store = s;
	i.digest = *digest;
	snprintf(i.path, sizeof i.path, "ingest/%s", digest_file_name(digest, name));
	for (;;) {
		auto_close int fd = openat(s->fd, i.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat opened, named;

		if (fd < 0)
			return err_errno("open '%s/%s'", s->path, i.path);
		TRY(lock(fd, cancel, waiting, arg));
		/* The former owner may have made it a blob, or removed it, while we waited. */
		if (fstat(fd, &opened) < 0)
			return err_errno("stat '%s'", i.path);
		if (fstatat(s->fd, i.path, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != opened.st_ino)
			continue;
		i.have = i.synced = (uint64_t)opened.st_size;
		i.fd = TAKE_FD(fd);
		*ret = i;
		i.fd = -1;
		return NULL;
	}
}

err *ingest_write(struct ingest *i, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = pwrite(i->fd, p, len, (off_t)i->have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("write '%s/%s'", i->store->path, i->path);
		p += n;
		len -= (size_t)n;
		i->have += (uint64_t)n;
	}
	if (i->have - i->synced >= WRITEBACK_STEP) {
		sync_file_range(i->fd, (off_t)i->synced, (off_t)(i->have - i->synced), SYNC_FILE_RANGE_WRITE);
		i->synced = i->have;
	}
	return NULL;
}

err *ingest_restart(struct ingest *i)
{
	if (ftruncate(i->fd, 0) < 0)
		return err_errno("truncate '%s'", i->path);
	i->have = i->synced = 0;
	return NULL;
}

err *ingest_publish(struct ingest *i)
{
	TRY(blob_publish(i->store, i->path, i->fd, &i->digest));
	fd_clear(&i->fd);
	return NULL;
}

void ingest_discard(struct ingest *i)
{
	if (i->fd < 0)
		return;
	unlinkat(i->store->fd, i->path, 0);
	fd_clear(&i->fd);
}

void ingest_done(struct ingest *i)
{
	if (i->fd >= 0 && i->have == 0)
		ingest_discard(i);
	fd_clear(&i->fd);
}
