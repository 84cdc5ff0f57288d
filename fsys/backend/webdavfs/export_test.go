package webdavfs

// Parse lets tests read multi-status answers.
var Parse = parse
