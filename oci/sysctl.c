/* oci/sysctl.c: names of sysctls: which namespace each belongs to, and its file.
 * Kernel: namespaces(7), sysctl(8); Documentation/admin-guide/sysctl/. */
#include "oci/config.h"

#include <linux/sched.h>

/* A key matches a row that it equals, or that ends in a slash and that it begins with. */
static const struct {
	const char *path;
	int namespace;
} owners[] = {
	{ "net/", CLONE_NEWNET },
	{ "fs/mqueue/", CLONE_NEWIPC },
	{ "kernel/msgmax", CLONE_NEWIPC },
	{ "kernel/msgmnb", CLONE_NEWIPC },
	{ "kernel/msgmni", CLONE_NEWIPC },
	{ "kernel/msg_next_id", CLONE_NEWIPC },
	{ "kernel/sem", CLONE_NEWIPC },
	{ "kernel/sem_next_id", CLONE_NEWIPC },
	{ "kernel/shmall", CLONE_NEWIPC },
	{ "kernel/shmmax", CLONE_NEWIPC },
	{ "kernel/shmmni", CLONE_NEWIPC },
	{ "kernel/shm_next_id", CLONE_NEWIPC },
	{ "kernel/shm_rmid_forced", CLONE_NEWIPC },
	{ "kernel/domainname", CLONE_NEWUTS },
	{ "kernel/hostname", CLONE_NEWUTS },
	{ "user/", CLONE_NEWUSER },
};

static bool is_component(const char *start, size_t len)
{
	return len > 0 && !(len == 1 && start[0] == '.') && !(len == 2 && start[0] == '.' && start[1] == '.');
}

bool oci_sysctl_path(const char *key, char *out, size_t size)
{
	size_t len = strlen(key);
	bool dots = key[strcspn(key, "./")] == '.';

	if (len >= size)
		return false;
	/* With dots as separators a slash stands for a dot inside a name: net.ipv4.conf.eth0/1.mtu. */
	for (size_t i = 0; i <= len; i++)
		out[i] = !dots ? key[i] : key[i] == '.' ? '/' : key[i] == '/' ? '.' : key[i];
	for (const char *p = out;; p++) {
		size_t component = strcspn(p, "/");
		if (!is_component(p, component))
			return false;
		p += component;
		if (!*p)
			return true;
	}
}

int oci_sysctl_namespace(const char *key)
{
	char path[512];

	if (!oci_sysctl_path(key, path, sizeof path))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		bool whole = owners[i].path[strlen(owners[i].path) - 1] != '/';
		if (whole ? strcmp(path, owners[i].path) == 0 : str_starts_with(path, owners[i].path))
			return owners[i].namespace;
	}
	return 0;
}
