// Package gitfs is a storage back end for commits in git repositories of this
// machine.
//
// # Model
//
// [Open] reads the whole tree of one commit; an [FS] is that tree. URLs are
// chains: "git,rev=v1.2://path/in/commit::/path/to/repo", HEAD without rev.
// The repository may be bare or not, packed or loose, a linked work tree, with
// alternates: git itself reads it, as long as the program is installed. Files
// are read by a few "git cat-file" processes that stay.
//
// # Rules
//
// An FS is safe for concurrent use. It stays at the commit that rev meant;
// where rev is a branch or tag that has moved, operations some seconds later
// see the new commit. The version of a file is its hash, its time that of the
// commit. Symbolic links and submodules are [driver.Other] and never opened.
// Contents are as committed: no filters, no line-end conversion, no LFS.
// Nothing in the repository is run, and nothing fetched where git knows how
// to refuse it (2.44 and later). Repositories of other users are refused as
// git does (safe.directory).
//
// # Example
//
//	drv, err := gitfs.Open(ctx, "/srv/repo.git", &gitfs.Options{Rev: "v1.2"})
//	…
//	r, err := drv.Open(ctx, "docs/index.md", driver.OpenOptions{})
package gitfs
