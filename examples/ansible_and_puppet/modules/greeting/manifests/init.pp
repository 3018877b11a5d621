# Greets whoever logs in.
class greeting {
  file { '/etc/motd':
    ensure  => file,
    content => "This is a ${facts['role']} machine.\n",
  }
}
