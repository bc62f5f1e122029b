package files

const sysRenameat2 = 276
