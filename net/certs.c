/* net/certs.c: certificates for one host, found as containers-certs.d(5) says. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "net/http-internal.h"

static int is_certs_file(const struct dirent *d)
{
	return str_ends_with(d->d_name, ".crt") || str_ends_with(d->d_name, ".cert") ||
	       str_ends_with(d->d_name, ".key");
}

static err *take_file(int fd, const char *dir, const char *name, struct certs *c)
{
	char **place = str_ends_with(name, ".cert") ? &c->cert : str_ends_with(name, ".key") ? &c->key : NULL;
	if (!place) {
		TRY(err_wrap(file_read(fd, name, &c->ca), "certificate '%s/%s'", dir, name));
		str_add_char(&c->ca, '\n');
		return str_check(&c->ca);
	}
	if (*place) /* several pairs: the first in alphabetical order */
		return NULL;
	auto_str struct str path = STR_INIT(4096);
	str_addf(&path, "%s/%s", dir, name);
	TRY(str_check(&path));
	*place = str_take(&path);
	return *place ? NULL : err_oom();
}

static err *read_dir(const char *dir, struct certs *c)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? NULL
			       : err_errno("certificates in '%s'", dir);
	struct dirent **names = NULL;
	int count = scandirat(fd, ".", &names, is_certs_file, alphasort);
	if (count < 0)
		return err_errno("certificates in '%s'", dir);
	err *e = NULL;
	for (int i = 0; i < count; i++) {
		if (!e)
			e = take_file(fd, dir, names[i]->d_name, c);
		free(names[i]);
	}
	free(names);
	if (e)
		return e;
	if (!c->cert != !c->key)
		return err_new(EINVAL, "certificates in '%s': %s without %s", dir,
			       c->cert ? "a .cert file" : "a .key file", c->cert ? "its .key" : "its .cert");
	c->dir = strdup(dir);
	return c->dir ? NULL : err_oom();
}

err *certs_find(const struct strv *dirs, const struct origin *origin, struct certs *ret)
{
	char authority[ORIGIN_TEXT_MAX];
	origin_authority(origin, authority);
	bool with_port = origin->port != (origin->tls ? 443 : 80);
	for (size_t i = 0; i < dirs->count && !ret->dir; i++) {
		auto_str struct str path = STR_INIT(4096);
		str_addf(&path, "%s/%s", dirs->items[i], authority);
		TRY(str_check(&path));
		TRY(read_dir(path.data, ret));
		if (with_port || ret->dir)
			continue;
		str_addf(&path, ":%u", origin->port);
		TRY(str_check(&path));
		TRY(read_dir(path.data, ret));
	}
	return NULL;
}

void certs_done(struct certs *c)
{
	str_done(&c->ca);
	free(c->cert);
	free(c->key);
	free(c->dir);
	*c = (struct certs)CERTS_INIT;
}
