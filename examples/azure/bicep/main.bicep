// The resource groups, the custom roles and the modules. docs/how-to/aks-bicep.md explains the order.
targetScope = 'subscription'

@description('The region of all resources.')
param location string = 'westeurope'

@description('A minor version that AKS offers: az aks get-versions. The chart requires 1.34 or newer.')
param kubernetesVersion string = '1.34'

@description('The namespace that the identity is for. The team\'s resource group has the same name.')
param namespace string = 'shop'

@description('Names of key vaults are unique in all of Azure.')
param vaultName string

@description('A part of the host name of the cache.')
param cacheName string

@allowed(['managed', 'classic', 'operator'])
@description('managed: this template creates an Azure Managed Redis. classic: it creates an Azure Cache for Redis. operator: the operator creates an Azure Managed Redis.')
param cache string = 'managed'

@description('Create the private endpoint. If the operator creates the cache, set this to false until it has done so.')
param cacheExists bool = true

@description('The uid of the namespace kube-system. With it, the object orders of the namespace stores and rotates the keys.')
param leaderClusterUid string = ''

// Read, publish, store and rotate the key.
var keyRoles = [
  loadJsonContent('../roles/observe.json')
  loadJsonContent('../roles/publish-key.json')
  loadJsonContent('../roles/store-key.json')
  loadJsonContent('../roles/rotate.json')
]

// The operator also requires these if it creates the cache and corrects its drift.
var cacheRoles = [
  loadJsonContent('../roles/provision.json')
  loadJsonContent('../roles/correct.json')
]
var roles = cache == 'operator' ? concat(keyRoles, cacheRoles) : keyRoles

resource platformGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'platform'
  location: location
}

resource teamGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: namespace
  location: location
}

// Role names are unique in a tenant. If yours has these roles, remove this resource and pass their ids to the module team.
resource roleDefinitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for role in roles: {
    name: guid(subscription().id, role.Name)
    properties: {
      roleName: role.Name
      description: role.Description
      type: 'CustomRole'
      permissions: [
        {
          actions: role.Actions
          notActions: role.NotActions
          dataActions: role.DataActions
          notDataActions: role.NotDataActions
        }
      ]
      assignableScopes: [subscription().id]
    }
  }
]

module platform 'platform.bicep' = {
  name: 'platform'
  scope: platformGroup
  params: {
    location: location
    kubernetesVersion: kubernetesVersion
    zone: cache == 'classic' ? 'privatelink.redis.cache.windows.net' : 'privatelink.redis.azure.net'
  }
}

module team 'team.bicep' = {
  name: 'team'
  scope: teamGroup
  params: {
    location: location
    namespace: namespace
    vaultName: vaultName
    cacheName: cacheName
    cache: cache
    cacheExists: cacheExists
    leaderClusterUid: leaderClusterUid
    roleIds: [for (role, index) in roles: roleDefinitions[index].id]
    issuer: platform.outputs.issuer
    endpointSubnetId: platform.outputs.endpointSubnetId
    zoneId: platform.outputs.zoneId
  }
}

output cacheId string = team.outputs.cacheId
output clientId string = team.outputs.clientId
output tenantId string = subscription().tenantId
