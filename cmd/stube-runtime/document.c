/* cmd/stube-runtime/document.c: documents beside config.json that a command reads. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "cmd/stube-runtime/runtime.h"

err *runtime_read_document(const char *path, struct str *ret)
{
	if (str_equal(path, "-"))
		return err_wrap(fd_read_all(STDIN_FILENO, ret), "standard input");
	return file_read(AT_FDCWD, path, ret);
}
