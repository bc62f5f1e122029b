package files

const sysRenameat2 = 316
