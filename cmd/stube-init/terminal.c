/* cmd/stube-init/terminal.c: the container's terminal: made in its devpts, sent to the caller. */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static bool in_devpts(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC;
}

/* Opened without effect, looked at, and only then opened for use: an image may have planted anything. */
static err *open_master(struct init *init, int *ret_fd)
{
	static const char *const paths[] = { "/dev/pts/ptmx", "/dev/ptmx" };
	char link[PATH_FD_MAX];
	auto_close int node = -1;
	struct stat st;
	err *e = NULL;

	for (size_t i = 0; i < ARRAY_LEN(paths) && node < 0; i++) {
		err_free(e);
		e = path_open(init->root, paths[i], PATH_IN_ROOT, O_PATH, 0, &node);
	}
	TRY(err_hint(e, "A terminal needs a mount of type devpts on /dev/pts."));
	if (fstat(node, &st) < 0)
		return err_errno("check '/dev/ptmx'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || !in_devpts(node))
		return err_new(EPERM, "'/dev/ptmx' is not of a devpts file system");
	snprintf(link, sizeof link, "self/fd/%d", node);
	int fd = openat(init_fd(init, init->plan->fd_proc), link, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open '/dev/ptmx'");
	*ret_fd = fd;
	return NULL;
}

/* CVE-2025-52565: the other end comes from the master itself, never from a path. */
static err *open_slave(int master, int *ret_fd)
{
	int unlock = 0;

	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_errno("unlock terminal");
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open terminal");
	*ret_fd = fd;
	return NULL;
}

static err *set_up(const struct plan_process *p, int slave)
{
	struct termios t;

	/* Lines end in LF alone, as callers of runc expect; crun leaves CR LF. */
	if (tcgetattr(slave, &t) < 0)
		return err_errno("read terminal modes");
	t.c_oflag &= ~(tcflag_t)ONLCR;
	if (tcsetattr(slave, TCSANOW, &t) < 0)
		return err_errno("set terminal modes");
	if (p->rows || p->columns) {
		struct winsize size = { .ws_row = p->rows, .ws_col = p->columns };

		if (ioctl(slave, TIOCSWINSZ, &size) < 0)
			return err_errno("process.consoleSize");
	}
	/* The user must be able to open its own terminal. An unmapped one cannot own anything. */
	if (fchown(slave, p->uid, (gid_t)-1) < 0 && errno != EINVAL && errno != EPERM)
		return err_errno("set owner of terminal");
	return NULL;
}

/* What /dev/console will be: the terminal that is open, not what its name may lead to by now. */
static int console_tree(const struct init *init, int slave)
{
	char name[32];
	struct stat st;

	if (DEFENCE("console-descriptor"))
		return k_open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	snprintf(name, sizeof name, "dev/pts/%u", fstat(slave, &st) < 0 ? 0 : minor(st.st_rdev));
	return k_open_tree(init->root, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static err *bind_console(struct init *init, int slave)
{
	int exact = DEFENCE("console-exact") ? O_NOFOLLOW : 0;
	auto_close int dev = -1;
	struct stat st;

	TRY(path_make_dirs(init->root, "/dev", 0755, &dev));
	if (exact && fstatat(dev, "console", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
	    unlinkat(dev, "console", 0) < 0)
		return err_errno("replace '/dev/console'");
	auto_close int made =
		openat(dev, "console", O_CREAT | (exact ? O_EXCL : 0) | O_RDONLY | O_CLOEXEC, 0620);
	auto_close int place = openat(dev, "console", O_PATH | exact | O_CLOEXEC);
	if (place < 0)
		return err_errno("make '/dev/console'");
	auto_close int tree = console_tree(init, slave);
	if (tree < 0 || k_move_mount(tree, place) < 0)
		return err_errno("bind terminal on '/dev/console'");
	return NULL;
}

err *init_terminal(void *data)
{
	struct init *init = data;
	auto_close int master = -1;
	auto_close int slave = -1;
	auto_close int console = init_take_fd(init, init->plan->fd_console);

	TRY(open_master(init, &master));
	TRY(open_slave(master, &slave));
	TRY(set_up(&init->plan->process, slave));
	if (!init->joined)
		TRY(bind_console(init, slave));
	TRY(err_wrap(fd_send(console, "/dev/ptmx", 9, &master, 1), "console socket"));
	init->terminal = TAKE_FD(slave);
	return NULL;
}

err *init_stdio(void *data)
{
	struct init *init = data;

	if (ioctl(init->terminal, TIOCSCTTY, 0) < 0)
		return err_errno("take controlling terminal");
	for (int i = 0; i < 3; i++)
		if (dup2(init->terminal, i) < 0)
			return err_errno("set stdio");
	if (init->terminal > 2)
		fd_clear(&init->terminal);
	return NULL;
}
