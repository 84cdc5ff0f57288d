package cli

import "github.com/spf13/cobra"

// topics are the help texts that belong to no command.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "what the exit code says", Long: exitCodesText},
		{Use: "urls", Short: "how objects are named", Long: urlsText},
		{Use: "patterns", Short: "wildcards in names", Long: patternsText},
		{Use: "env", Short: "environment variables", Long: envText},
	}
}

const exitCodesText = `The exit code says how a command ended:

  0    done; also when a listing has nothing in it
  1    failed
  2    usage: the command line cannot be right; nothing was done
  3    partly done: some items failed; each is named on standard error
  4    a named source does not exist
  5    refused by a guard: --max-delete, an empty source with --delete, a copy onto
       itself; what the guard is for was not done
  6    temporary: a store could not be reached; try again later. Each request is
       tried up to five times and for 20 s at most; to connect may take 5 s
  130  interrupted, and 143 terminated: the work was stopped and unfinished
       uploads were aborted; a second signal ends leat at once

New codes may appear: take those you do not know as failures. A command whose
output is closed by its reader ends with 0 when it only lists or prints.`

const urlsText = `Objects are named by local paths and by URLs:

  path, ./path, /path     a local file; file:///path too
  s3://bucket/key         S3 or a compatible service
  http://host/path        read only; https:// too
  sftp://user@host/path   files over SSH; webdav://host/path, webdavs:// too
  mem://name/path         memory of this process, for trying things out
  data:text/plain,hello   the object itself

In front of another URL, with "::" between:

  zip://MEMBER::URL       inside a zip archive; tar:// for plain and packed tars
  git,rev=v1.0://PATH::/path/to/repo        a commit as files; read only
  reference://NAME::URL   what a reference file (kerchunk) stands for
  cache::URL              keeps what was read, in memory and on disk
  ro::URL, prefix://DIR::URL, limit,requests=8,rate=10MiB::URL

Names are bytes. Nothing is decoded in local paths, s3 and mem: %20, # and ? are
themselves. In http and https URLs the path is percent-decoded, and the query is
sent with every request. A "/" at the end says that a directory is meant.

S3 takes its settings from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and the files in
~/.aws.`

const patternsText = `Names with wildcards stand for what they match, in byte order:

  *       any run of characters but "/"
  ?       one character but "/"; not a wildcard in http and https URLs
  [a-z]   one of these characters; [!a-z] one of the others
  **      as a whole component: any number of directories, also none
  \       takes the wildcard character that follows as itself

Quote patterns, so that the shell leaves them alone: 's3://bucket/**/*.gz'.
Patterns match objects; those that end in "/" match directories. Names that begin
with a dot match like any other. With --raw nothing is a wildcard.`

const envText = `Environment variables set the defaults of flags; flags on the command line win:

  LEAT_COLOR, LEAT_PROGRESS     auto, always or never
  LEAT_JOBS                     -j, how many objects are worked on at once
  LEAT_JSON, LEAT_QUIET, LEAT_VERBOSE     true or false
  LEAT_MAX_DELETE               --max-delete of rm and sync

NO_COLOR, set to anything, turns colour off. LEAT_DEBUG=true tells, at the end, of
tasks that outlive their command, which is a mistake of leat. For the AWS_
variables of S3 see leat help urls.`
