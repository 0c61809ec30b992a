mod hostile;
mod mock_role;
mod stage;
mod test_role;
