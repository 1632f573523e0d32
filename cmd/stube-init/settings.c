/* cmd/stube-init/settings.c: what the new namespaces get: names, loopback, sysctls, keyring. */
#include <fcntl.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/hooks.h"

err *init_keyring(void *data)
{
	const struct init *init = data;
	char name[64];

	/* A name of the container's, so that those who look at /proc/keys know whose it is. */
	snprintf(name, sizeof name, "_ses.%.48s", plan_string(init->plan, init->plan->id));
	/* ENOSYS: a kernel without; EPERM, EDQUOT: a quota or seccomp of an outer container. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS &&
	    errno != EPERM)
		return errno == EDQUOT ? err_hint(err_errno("join"), "See kernel.keys.maxkeys, or use "
								      "--no-new-keyring.") :
					 err_errno("join");
	return NULL;
}

err *init_loopback(void *data)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	auto_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)data;
	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &request) < 0)
		return err_errno("set 'lo' up");
	return NULL;
}

err *init_names(void *data)
{
	const struct init *init = data;
	const char *host = plan_string(init->plan, init->plan->hostname);
	const char *domain = plan_string(init->plan, init->plan->domainname);

	if (host && sethostname(host, strlen(host)) < 0)
		return err_errno("hostname: '%s'", host);
	if (domain && setdomainname(domain, strlen(domain)) < 0)
		return err_errno("domainname: '%s'", domain);
	return NULL;
}

/* Below the runtime's own /proc: what the container mounted there never sees a write of ours
 * (CVE-2025-52881). The kernel takes the namespaces from the writer, not from the mount. */
err *init_sysctl(void *data)
{
	const struct init *init = data;
	const struct plan *p = init->plan;
	const struct plan_pair *pairs = plan_items(p, p->sysctls);

	for (uint32_t i = 0; i < p->sysctls.count; i++) {
		const char *file = plan_string(p, pairs[i].key);
		const char *value = plan_string(p, pairs[i].value);
		auto_close int fd = -1;

		TRY(err_wrap(path_open(init_proc(init), file, PATH_NO_LINKS, O_WRONLY, 0, &fd),
			     "linux.sysctl: '%s'", file));
		if (write(fd, value, strlen(value)) < 0)
			return err_errno("linux.sysctl: write '%s' to '%s'", value, file);
	}
	return NULL;
}

/* cwd: or NULL. */
static err *run_hooks(const struct init *init, const char *kind, struct plan_list list, plan_text state,
		      const char *cwd)
{
	const struct plan *p = init->plan;
	const struct plan_hook *hooks = plan_items(p, list);
	const struct hook_files files = { init_fd(init, p->fd_hooks_out), init_fd(init, p->fd_hooks_errors) };
	const char *text = plan_string(p, state);
	auto_free struct hook *out = calloc(list.count ? list.count : 1, sizeof *out);

	if (!out)
		return err_oom();
	/* The vectors stay until exec: a few pointers. */
	for (uint32_t i = 0; i < list.count; i++) {
		out[i] = (struct hook){
			.path = plan_string(p, hooks[i].path),
			.args = (const char *const *)plan_strings(p, hooks[i].args),
			.env = (const char *const *)plan_strings(p, hooks[i].env),
			.timeout = hooks[i].timeout,
			.files = &files,
		};
		if (!out[i].args || !out[i].env)
			return err_oom();
	}
	return hooks_run(kind, out, list.count, text ? text : "", text ? strlen(text) : 0, cwd);
}

/* They begin in the bundle, as those of the runtime do, where the container's user may go there. */
err *init_hooks_container(void *data)
{
	const struct init *init = data;
	const char *bundle = plan_string(init->plan, init->plan->bundle);
	auto_close int dir = bundle ? open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	bool usable = dir >= 0 && faccessat(dir, ".", X_OK, 0) == 0;

	return run_hooks(init, "createContainer", init->plan->hooks_container, init->plan->state_creating,
			 usable ? bundle : NULL);
}

err *init_hooks_start(void *data)
{
	struct init *init = data;
	const struct plan *p = init->plan;
	err *e = run_hooks(init, "startContainer", p->hooks_start, p->state_created, NULL);

	fd_close(init_take_fd(init, p->fd_hooks_out));
	fd_close(init_take_fd(init, p->fd_hooks_errors));
	return e;
}
