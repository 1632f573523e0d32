/* scheduler/tls.c: the server's certificates: read, and read again when they change. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "scheduler/scheduler-internal.h"

enum { PEM_MAX = 1 << 20, SETTLE_MSEC = 200 };
#define TERMS_EVERY (3600 * (int64_t)NSEC_PER_SEC)

struct tls {
	struct scheduler *s;
	int fd;
	struct loop_source *io, *timer, *daily;
};

void pem_done(struct pem *p)
{
	str_done(&p->cert);
	str_done(&p->key);
	str_done(&p->client_ca);
}

static err *read_pem(const char *what, const char *path, struct str *out)
{
	return path ? err_wrap(file_read(AT_FDCWD, path, out), "%s '%s'", what, path) : NULL;
}

err *pem_read(const struct scheduler_options *o, struct pem *ret)
{
	str_init(&ret->cert, PEM_MAX);
	str_init(&ret->key, PEM_MAX);
	str_init(&ret->client_ca, PEM_MAX);
	TRY(read_pem("certificate", o->cert, &ret->cert));
	TRY(read_pem("key", o->key, &ret->key));
	return read_pem("certificates of clients' authorities", o->client_ca, &ret->client_ca);
}

void tls_reload(struct scheduler *s)
{
	auto_pem struct pem pem = { 0 };
	auto_err err *e = pem_read(s->options, &pem);

	if (!e && s->servers[SERVER_TLS])
		e = server_set_tls(s->servers[SERVER_TLS], pem.cert.data, pem.key.data,
				   s->options->client_ca ? pem.client_ca.data : NULL);
	/* Half of a new pair, perhaps: the other half is an event of its own. */
	if (e) {
		e = err_wrap(TAKE(e), "the certificates in use stay");
		log_err(e);
	} else {
		log_info("certificates read", "certificate", s->options->cert, NULL);
		pki_terms_set(&s->terms, pem.cert.data, s->options->client_ca ? pem.client_ca.data : NULL);
	}
}

static void on_settled(void *user)
{
	const struct tls *t = user;

	tls_reload(t->s);
}

static void on_daily(void *user)
{
	const struct tls *t = user;

	pki_terms_look(&t->s->terms);
	IGNORE(loop_timer_set(t->daily, clock_boot() + TERMS_EVERY));
}

static void on_inotify(uint32_t events, void *user)
{
	struct tls *t = user;
	char buffer[4096];

	(void)events;
	while (read(t->fd, buffer, sizeof(buffer)) > 0)
		;
	IGNORE(loop_timer_set(t->timer, clock_boot() + SETTLE_MSEC * (int64_t)NSEC_PER_MSEC));
}

/* The folder: files are replaced by renaming. */
static err *watch_folder(const struct tls *t, const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	if (!path)
		return NULL;
	if (strlen(path) >= sizeof(folder))
		return err_new(ENAMETOOLONG, "path '%s'", path);
	memcpy(folder, path, strlen(path) + 1);
	slash = strrchr(folder, '/');
	if (!slash)
		memcpy(folder, ".", 2);
	else
		slash[slash == folder] = '\0';
	if (inotify_add_watch(t->fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE) < 0)
		return err_errno("watch folder '%s'", folder);
	return NULL;
}

static err *begin(struct tls *t)
{
	const struct scheduler_options *o = t->s->options;

	t->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (t->fd < 0)
		return err_errno("watch the certificates");
	TRY(watch_folder(t, o->cert));
	TRY(watch_folder(t, o->key));
	TRY(watch_folder(t, o->client_ca));
	TRY(loop_timer(t->s->loop, 0, on_settled, t, &t->timer));
	TRY(loop_timer(t->s->loop, clock_boot() + TERMS_EVERY, on_daily, t, &t->daily));
	return loop_io(t->s->loop, t->fd, EPOLLIN, on_inotify, t, &t->io);
}

err *tls_new(struct scheduler *s, struct tls **ret)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		return err_oom();
	t->s = s;
	t->fd = -1;
	err *e = begin(t);
	if (e) {
		tls_free(t);
		return e;
	}
	*ret = t;
	return NULL;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	loop_source_free(t->io);
	loop_source_free(t->timer);
	loop_source_free(t->daily);
	fd_close(t->fd);
	free(t);
}
